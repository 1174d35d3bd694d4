// Package ottlprofile refuses to parse conditions about profiles: see ../../manifest.yaml.
package ottlprofile

import (
	"errors"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
)

// ContextName is the name of the context.
const ContextName = "profile"

// TransformContext is never made.
type TransformContext struct{}

// ConditionSequenceOption does nothing.
type ConditionSequenceOption func(*ottl.ConditionSequence[*TransformContext])

// WithConditionSequenceErrorMode does nothing.
func WithConditionSequenceErrorMode(ottl.ErrorMode) ConditionSequenceOption {
	return func(*ottl.ConditionSequence[*TransformContext]) {}
}

// EnablePathContextNames does nothing.
func EnablePathContextNames() ottl.Option[*TransformContext] {
	return func(*ottl.Parser[*TransformContext]) {}
}

// NewParser refuses.
func NewParser(map[string]ottl.Factory[*TransformContext], component.TelemetrySettings, ...ottl.Option[*TransformContext]) (ottl.Parser[*TransformContext], error) {
	return ottl.Parser[*TransformContext]{}, errors.New("this build knows no profiles")
}

// NewConditionSequence gives an empty one.
func NewConditionSequence([]*ottl.Condition[*TransformContext], component.TelemetrySettings, ...ConditionSequenceOption) ottl.ConditionSequence[*TransformContext] {
	return ottl.ConditionSequence[*TransformContext]{}
}

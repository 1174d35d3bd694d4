// Package ottlfuncs adds no functions: see ../../manifest.yaml.
package ottlfuncs

import "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"

// WithProfileConverters gives back what it got.
func WithProfileConverters[K any](functions map[string]ottl.Factory[K]) map[string]ottl.Factory[K] {
	return functions
}

// Package otlpencodingextension is empty: see ../manifest.yaml.
package otlpencodingextension

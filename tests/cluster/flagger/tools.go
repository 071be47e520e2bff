//go:build tools

// Package tools pins Flagger.
package tools

import _ "github.com/fluxcd/flagger/cmd/flagger"

//go:build tools

// Package tools pins Argo Rollouts.
package tools

import _ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"

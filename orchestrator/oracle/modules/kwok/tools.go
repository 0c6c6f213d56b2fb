// Keeps the module of the program that the oracle builds; `go mod tidy` in this folder reads it.

//go:build tools

package oracle

import _ "sigs.k8s.io/kwok/cmd/kwok"

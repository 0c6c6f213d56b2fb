// Keeps the modules of the programs that the oracle builds; `go mod tidy` in this folder reads it.

//go:build tools

package oracle

import _ "go.etcd.io/etcd/server/v3"

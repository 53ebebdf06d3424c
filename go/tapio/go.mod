module github.com/servicemap/servicemap/go/tapio

go 1.24.0

require (
	github.com/servicemap/servicemap/go v0.0.0
	github.com/yairfalse/tapio v0.0.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.27.0
)

require go.uber.org/multierr v1.10.0 // indirect

replace github.com/servicemap/servicemap/go => ..

// tapio is in no registry: a contract stands in for it here. In tapio's own tree, tapio is the main module.
replace github.com/yairfalse/tapio => ./internal/contract

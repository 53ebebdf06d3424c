//go:build !cgo

package servicemap

const cgo = false

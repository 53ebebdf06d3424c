package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// lifetime ends with SIGINT or SIGTERM and, where whileStdin is set, with the end of standard input: whoever holds the
// other end of that pipe may die in any way, and what it started still takes itself down.
func lifetime(whileStdin bool) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	if whileStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end, too
			stop()
		}()
	}
	return ctx, stop
}

// sayReady tells whoever started this process that what it offers can be used.
func sayReady(what string) {
	fmt.Printf("ready %s\n", what)
}

// pause is what a container without a command runs, as a pod's sandbox does: nothing.
func pause([]string) error {
	ctx, stop := lifetime(false)
	defer stop()
	<-ctx.Done()
	return nil
}

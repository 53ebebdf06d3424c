package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// pollInterval is the time between two looks at a condition.
	pollInterval = 50 * time.Millisecond
	// startTimeout is how long a part may take to start on a busy machine; 3 s on an idle one.
	startTimeout = 90 * time.Second
)

// sleep waits for a time, or for the end of the context: then it is the error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// waitReady waits until the API server says that it is ready.
func waitReady(ctx context.Context, config *rest.Config) error {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("kube-apiserver is not ready after %v", startTimeout))
	defer cancel()
	for !saysReady(ctx, client, config.Host+"/readyz") {
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
	return nil
}

func saysReady(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
	return response.StatusCode == http.StatusOK
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd starts etcd in this process and waits until it serves.
func (c *controlPlane) startEtcd(ctx context.Context) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(c.dir, "etcd")
	config.LogLevel, config.Logger = "error", "zap"
	// Speed over durability on loss of power; a killed process still loses nothing.
	config.UnsafeNoFsync = true
	client, peer := loopback(c.ports.Etcd), loopback(c.ports.EtcdPeer)
	config.ListenClientUrls, config.AdvertiseClientUrls = client, client
	config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := listening(ctx, config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
	case err = <-etcd.Err():
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(startTimeout):
		err = fmt.Errorf("not ready after %v", startTimeout)
	}
	if err == nil && c.compact {
		// Without history a watch that wants to go on where it was is answered 410 Gone.
		_, err = etcd.Server.Compact(ctx, &pb.CompactionRequest{Revision: etcd.Server.KV().Rev(), Physical: true})
	}
	if err != nil {
		etcd.Close()
		return nil, err
	}
	return etcd, nil
}

// listening starts etcd, and waits while somebody else still has one of its ports: it was free when it was picked, but it is
// another program's to take until it is listened on, and after a kill until the control plane is back.
func listening(ctx context.Context, config *embed.Config) (*embed.Etcd, error) {
	deadline := time.Now().Add(startTimeout)
	for {
		etcd, err := embed.StartEtcd(config)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return etcd, err
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return nil, err
		}
	}
}

func (c *controlPlane) etcdURL() string {
	return loopback(c.ports.Etcd)[0].String()
}

func loopback(port int) []url.URL {
	return []url.URL{{Scheme: "http", Host: fmt.Sprintf("%s:%d", apiHost, port)}}
}

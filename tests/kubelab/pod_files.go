package main

import (
	"fmt"
	"os"
	"path/filepath"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prepareFiles writes what the pod's containers find mounted: hosts, resolv.conf, the service account, volumes.
func (p *pod) prepareFiles() error {
	account := filepath.Join(p.filesPath(), "account")
	if err := os.MkdirAll(account, 0o755); err != nil {
		return err
	}
	namespace := p.object.Namespace
	hosts := fmt.Sprintf("127.0.0.1 localhost\n::1 localhost\n%s %s\n", p.addresses[0], p.object.Name)
	resolver := fmt.Sprintf("nameserver %s\nsearch %s.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n", p.node.nameserver, namespace)
	for name, text := range map[string]string{"hosts": hosts, "resolv.conf": resolver} {
		if err := os.WriteFile(filepath.Join(p.filesPath(), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if mount := p.object.Spec.AutomountServiceAccountToken; mount == nil || *mount {
		reference := &authv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.object.Name, UID: p.object.UID}
		token, err := accountToken(p.ctx, p.node.client, namespace, p.object.Spec.ServiceAccountName, reference)
		if err != nil {
			return err
		}
		if err := accountFiles(account, filepath.Join(p.node.dir, "pki", "ca.crt"), namespace, token); err != nil {
			return err
		}
	}
	for _, volume := range p.object.Spec.Volumes {
		if err := p.prepareVolume(volume); err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
	}
	return nil
}

func (p *pod) volumePath(name string) string {
	return filepath.Join(p.filesPath(), "volume-"+name)
}

// prepareVolume fills ConfigMaps and Secrets; other kinds of volumes are empty directories.
func (p *pod) prepareVolume(volume corev1.Volume) error {
	directory := p.volumePath(volume.Name)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{}
	switch {
	case volume.ConfigMap != nil:
		object, err := p.node.client.CoreV1().ConfigMaps(p.object.Namespace).Get(p.ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for name, text := range object.Data {
			files[name] = []byte(text)
		}
	case volume.Secret != nil:
		object, err := p.node.client.CoreV1().Secrets(p.object.Namespace).Get(p.ctx, volume.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		files = object.Data
	}
	for name, text := range files {
		// Executable, as scripts in a ConfigMap with defaultMode 0755 are.
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// mounts are the files and directories that a container sees at paths of its own.
func (p *pod) mounts(container corev1.Container) []mount {
	all := []mount{{filepath.Join(p.filesPath(), "hosts"), "/etc/hosts"}}
	if !p.object.Spec.HostNetwork || p.object.Spec.DNSPolicy == corev1.DNSClusterFirstWithHostNet {
		all = append(all, mount{filepath.Join(p.filesPath(), "resolv.conf"), "/etc/resolv.conf"})
	}
	if account := filepath.Join(p.filesPath(), "account"); exists(filepath.Join(account, "token")) {
		all = append(all, mount{account, "/run/secrets/kubernetes.io/serviceaccount"})
	}
	for _, m := range container.VolumeMounts {
		// The API server adds one for the token, which is mounted above.
		if m.MountPath != "/var/run/secrets/kubernetes.io/serviceaccount" {
			all = append(all, mount{filepath.Join(p.volumePath(m.Name), m.SubPath), m.MountPath})
		}
	}
	return all
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// credentials are the certificates and kubeconfigs of one control plane.
type credentials struct {
	dir        string
	authority  *authority
	server     issued
	accountKey string
}

// identity is who a kubeconfig of the control plane stands for.
type identity struct {
	name, user string
	groups     []string
	onFabric   bool // used by nodes, which reach the API by the address in their network
}

var identities = []identity{
	{name: "admin", user: "kubernetes-admin", groups: []string{"system:masters"}},
	{name: "kube-controller-manager", user: "system:kube-controller-manager"},
	{name: "kube-scheduler", user: "system:kube-scheduler"},
	{name: "kube-proxy", user: "system:kube-proxy", onFabric: true},
}

func (c *credentials) kubeconfig(name string) string {
	return filepath.Join(c.dir, name+".kubeconfig")
}

func (c *controlPlane) makeCredentials() (*credentials, error) {
	authority, err := openAuthority(filepath.Join(c.dir, "pki"))
	if err != nil {
		return nil, err
	}
	all := &credentials{dir: c.dir, authority: authority}
	hosts := []string{apiHost, "localhost", apiClusterIP, fabricIP, "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	if all.server, err = authority.issue("kube-apiserver", "kube-apiserver", nil, hosts); err != nil {
		return nil, err
	}
	if all.accountKey, err = authority.accountKey(); err != nil {
		return nil, err
	}
	for _, who := range identities {
		files, err := authority.issue(who.name, who.user, who.groups, nil)
		if err != nil {
			return nil, err
		}
		server := c.url()
		if who.onFabric {
			server = fmt.Sprintf("https://%s:%d", fabricIP, c.ports.API)
		}
		user := clientcmdapi.AuthInfo{ClientCertificate: files.certificate, ClientKey: files.key}
		if err := writeKubeconfig(all.kubeconfig(who.name), server, authority.certificatePath(), user); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func writeKubeconfig(path, server, authority string, user clientcmdapi.AuthInfo) error {
	const name = "kubelab"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: authority}
	config.AuthInfos[name] = &user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}

// accountTokenLife is the life of a service account's token: longer than any test.
const accountTokenLife = int64(24 * 60 * 60)

// writeKubeconfigOf writes a kubeconfig with the token of a service account: what a pod of it could do, no more.
func writeKubeconfigOf(args []string) error {
	flags := flag.NewFlagSet("kubeconfig", flag.ExitOnError)
	dir := flags.String("dir", "", "directory of the control plane (required)")
	account := flags.String("service-account", "", "NAMESPACE/NAME (required)")
	out := flags.String("out", "", "file to write (required)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	namespace, name, found := strings.Cut(*account, "/")
	if *dir == "" || *out == "" || !found {
		return errors.New("--dir, --service-account NAMESPACE/NAME and --out are required")
	}
	admin, err := clientcmd.BuildConfigFromFlags("", filepath.Join(*dir, "admin.kubeconfig"))
	if err != nil {
		return err
	}
	token, err := accountToken(context.Background(), kubernetes.NewForConfigOrDie(admin), namespace, name, nil)
	if err != nil {
		return err
	}
	return writeKubeconfig(*out, admin.Host, admin.CAFile, clientcmdapi.AuthInfo{Token: token})
}

// accountToken asks for a token of a service account, bound to a pod where one is given.
func accountToken(ctx context.Context, client kubernetes.Interface, namespace, name string, pod *authv1.BoundObjectReference) (string, error) {
	life := accountTokenLife
	request := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &life, BoundObjectRef: pod}}
	answer, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of service account %s/%s: %w", namespace, name, err)
	}
	return answer.Status.Token, nil
}

// accountFiles writes what a pod finds of its service account.
func accountFiles(dir, authority, namespace, token string) error {
	certificate, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"ca.crt": certificate, "namespace": []byte(namespace), "token": []byte(token)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

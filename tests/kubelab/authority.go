package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Nobody needs these longer than a test; a clock that is wrong by an hour does not matter.
const (
	certificateLife = 365 * 24 * time.Hour
	clockSkew       = time.Hour
)

// authority is the certificate authority of one cluster, kept in a directory.
type authority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issued names the files of a certificate and its key.
type issued struct {
	certificate, key string
}

func (a *authority) certificatePath() string { return filepath.Join(a.dir, "ca.crt") }
func (a *authority) keyPath() string         { return filepath.Join(a.dir, "ca.key") }

// openAuthority reads the authority of a directory, and makes it where there is none.
func openAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	der, err := readPEM(a.certificatePath())
	if errors.Is(err, os.ErrNotExist) {
		return a, a.create()
	} else if err != nil {
		return nil, err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if der, err = readPEM(a.keyPath()); err != nil {
		return nil, err
	}
	a.key, err = x509.ParseECPrivateKey(der)
	return a, err
}

func (a *authority) create() (err error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubelab"},
		NotBefore: time.Now().Add(-clockSkew), NotAfter: time.Now().Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return write(issued{a.certificatePath(), a.keyPath()}, der, a.key)
}

// issue writes a certificate: a client's (user and groups), or with hosts a server's.
func (a *authority) issue(file string, user string, groups, hosts []string) (issued, error) {
	paths := issued{filepath.Join(a.dir, file+".crt"), filepath.Join(a.dir, file+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return paths, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return paths, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: user, Organization: groups},
		NotBefore: time.Now().Add(-clockSkew), NotAfter: a.certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return paths, err
	}
	return paths, write(paths, der, key)
}

func write(paths issued, certificate []byte, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(paths.certificate, "CERTIFICATE", certificate); err != nil {
		return err
	}
	return writePEM(paths.key, "EC PRIVATE KEY", der)
}

// accountKey makes the key that signs the tokens of service accounts, once.
func (a *authority) accountKey() (string, error) {
	path := filepath.Join(a.dir, "service-accounts.key")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	return path, writePEM(path, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func readPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return block.Bytes, nil
}

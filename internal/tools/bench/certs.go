package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// systemRoots are where a machine keeps its root certificates. A contestant reads all
// of them and ours, because a function reads all of them too.
var systemRoots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// certify makes a certificate for the world, which is its own authority, and the
// bundle that the contestants trust through SSL_CERT_FILE.
func (b *bench) certify() error {
	b.bundle, b.cert, b.key = b.binary("roots.pem"), b.binary("cert.pem"), b.binary("key.pem")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "benchmark"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(hostOf(apiAddr))},
		DNSNames: []string{"localhost", apiName, cosName},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pemBlock("CERTIFICATE", der)
	roots := cert
	for _, name := range systemRoots {
		if text, err := os.ReadFile(name); err == nil {
			roots = append(append(bytes.TrimSpace(text), '\n'), cert...)
			break
		}
	}
	for name, text := range map[string][]byte{b.bundle: roots, b.cert: cert, b.key: pemBlock("PRIVATE KEY", keyDER)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

// A kind of world is how the source and the sink are reached.
type kind string

const (
	overHTTP  kind = "HTTP"
	overHTTPS kind = "HTTPS"
	byName    kind = "HTTPS by name" // at the names that a function knows by itself
)

const anyPort = "127.0.0.1:0"

// Where the names of WeChat's API and of COS lead in a world that is named.
const (
	apiName = "api.weixin.qq.com"
	apiHost = "127.0.0.2"
	cosName = "cos.ap-shanghai.myqcloud.com"
	cosHost = "127.0.0.3"
)

const bucket = "staging"

// A world is the source, which is the project's emulated staging bucket, and the sink.
type world struct {
	kind
	staging     *staging.Server
	tls         *tls.Config // nil for plain HTTP
	bundle      string      // root certificates, "" for plain HTTP
	source, api string      // URLs
	cos         string      // the origin of ticket URLs
	servers     []*http.Server

	files, bytes atomic.Int64 // what the sink took since the last check
}

func (b *bench) newWorld(k kind) (w *world, err error) {
	w = &world{kind: k, staging: staging.New(bucket)}
	if k != overHTTP {
		if err := b.certify(w); err != nil {
			return nil, err
		}
	}
	apiAddr, cosAddr := anyPort, anyPort
	if k == byName {
		apiAddr, cosAddr = apiHost+":443", cosHost+":443"
	}
	for _, s := range []struct {
		url     *string
		addr    string
		handler http.Handler
	}{{&w.source, anyPort, w.staging}, {&w.api, apiAddr, w.weChat()}, {&w.cos, cosAddr, http.HandlerFunc(w.store)}} {
		if *s.url, err = w.serve(s.addr, s.handler); err != nil {
			return nil, err
		}
	}
	if k == byName {
		w.cos = "https://" + cosName
	}
	return w, w.fill()
}

// fill makes small/0 to small/999 of 10 kB each, and big/MIB-N of MIB mebibytes each,
// which are made while they are read.
func (w *world) fill() error {
	body := make([]byte, smallSize)
	for i := range 1000 {
		_, _ = random.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(body) // never fails
		if err := w.staging.Put(bucket, fmt.Sprintf("small/%d", i), "image/png", bytes.Clone(body)); err != nil {
			return err
		}
	}
	for _, size := range []int64{16, 64, 256, 1024} {
		for n := range 16 {
			if err := w.staging.Synthesize(bucket, fmt.Sprintf("big/%d-%d", size, n), size*mib, uint64(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// serve returns the URL at which h is served from now on. It speaks HTTP/1.1 only, as
// tcbferry does.
func (w *world) serve(addr string, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, TLSConfig: w.tls, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	w.servers = append(w.servers, srv)
	if w.tls == nil {
		go srv.Serve(l)
		return "http://" + l.Addr().String(), nil
	}
	go srv.ServeTLS(l, "", "")
	return "https://" + l.Addr().String(), nil
}

func (w *world) close() {
	for _, srv := range w.servers {
		srv.Close()
	}
	w.staging.Close()
}

// check fails unless the sink got so many files and bytes since the last check.
func (w *world) check(files int, bytes int64) error {
	if f, n := w.files.Swap(0), w.bytes.Swap(0); f != int64(files) || n != bytes {
		return fmt.Errorf("the sink has %d files of together %d bytes, not %d of %d", f, n, files, bytes)
	}
	return nil
}

// systemRoots are where a machine keeps its root certificates. A contestant reads all
// of them and ours, because a function reads all of them too.
var systemRoots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// certify makes a certificate for the world, which is its own authority, and the
// bundle that the contestants trust through SSL_CERT_FILE.
func (b *bench) certify(w *world) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "benchmark"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{apiName, cosName},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	w.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for _, name := range systemRoots {
		if text, err := os.ReadFile(name); err == nil {
			roots = append(roots, text...)
			break
		}
	}
	w.bundle = b.file("roots.pem")
	return os.WriteFile(w.bundle, roots, 0o600)
}

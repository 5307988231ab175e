// Command world is the outside world of the benchmark, one process for each side,
// so that the CPU time of a contestant is its own: "world source" is a staging
// bucket, "world sink" the WeChat API and COS.
//
// The source is the project's emulated staging bucket. The sink checks a form's framing
// and computes its CRC64, and nothing else, because it must be faster than what it
// measures. The emulator of package tcb checks everything.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	cert := flag.String("cert", "", "certificate file, for HTTPS")
	key := flag.String("key", "", "key file of the certificate")
	api := flag.String("api", anyPort, "address of the sink's WeChat API")
	cos := flag.String("cos", anyPort, "address of the sink's COS")
	host := flag.String("host", "", "name of COS in tickets, if not its address")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "source":
		err = source(*cert, *key)
	case "sink":
		err = sink(*cert, *key, *api, *cos, *host)
	default:
		err = fmt.Errorf("world source or world sink, not %q", flag.Arg(0))
	}
	if err != nil {
		log.Fatal(err)
	}
	// The benchmark ends this process by closing its standard input.
	_, _ = os.Stdin.Read(make([]byte, 1))
}

const anyPort = "127.0.0.1:0"

// serve returns the URL at which h is served from now on. It speaks HTTP/1.1 only, as
// tcbferry does.
func serve(addr, cert, key string, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	if cert == "" {
		go srv.Serve(l)
		return "http://" + l.Addr().String(), nil
	}
	go srv.ServeTLS(l, cert, key)
	return "https://" + l.Addr().String(), nil
}

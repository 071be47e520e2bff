// A client that asks at a steady rate, and the servers that it asks, for tests on a real node.
//
//	load server TEXT PORT END          answers TEXT; by END it closes in order at SIGTERM (close), exits at once (exit), exits in place of every 12th
//	                                   answer (crash), or is not ready any more after as many, at /ready (unready), and closes in order
//	                                   /slow takes five seconds, and /under-way says how many of these it has not answered yet
//	load https TEXT PORT END           the same, by TLS, with a certificate that it has signed itself
//	load client URL RATE               asks URL, every other time by POST, RATE times a second; it says on loopback, port 9000, what came of it
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3], os.Args[4], nil)
	} else if os.Args[1] == "https" {
		serve(os.Args[2], os.Args[3], os.Args[4], selfSigned())
	} else {
		rate, _ := strconv.Atoi(os.Args[3])
		ask(os.Args[2], rate)
	}
}

// Answers of a server before it fails.
const answersMax = 12

const slow = 5 * time.Second

func selfSigned() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	bytes, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{bytes}, PrivateKey: key}}}
}

func serve(text, port, end string, secured *tls.Config) {
	var asked, underWay atomic.Int64
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			if end == "unready" && asked.Load() >= answersMax {
				w.WriteHeader(503)
			}
			return
		}
		if r.URL.Path == "/under-way" {
			fmt.Fprint(w, underWay.Load())
			return
		}
		if r.URL.Path == "/slow" {
			underWay.Add(1)
			defer underWay.Add(-1)
			time.Sleep(slow)
		}
		if asked.Add(1) >= answersMax && end == "crash" {
			os.Exit(1)
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, text)
	}
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(answer), TLSConfig: secured}
	listen := server.ListenAndServe
	if secured != nil {
		listen = func() error { return server.ListenAndServeTLS("", "") }
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	done := make(chan bool)
	go func() {
		<-signals
		if end == "exit" {
			os.Exit(0)
		}
		server.Shutdown(context.Background())
		close(done)
	}()
	if err := listen(); err != http.ErrServerClosed {
		panic(err)
	}
	<-done
}

// Tally is what became of the requests since it was last taken.
type Tally struct {
	Asked    int            `json:"asked"`
	Answers  map[string]int `json:"answers"`
	Failures []string       `json:"failures"`
	Failed   int            `json:"failed"`
}

const failuresMax = 20

type client struct {
	url   string
	http  http.Client
	mutex sync.Mutex
	tally Tally
	pace  sync.RWMutex // held by each request to read; to write it is to wait for those under way
	body  string
}

func (c *client) one(number int) {
	defer c.pace.RUnlock()
	method, body := "GET", io.Reader(nil)
	if number%2 == 1 {
		method, body = "POST", strings.NewReader(c.body)
	}
	started := time.Now()
	request, _ := http.NewRequest(method, c.url, body)
	answer, err := c.http.Do(request)
	text := ""
	if err == nil {
		var bytes []byte
		bytes, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		text = string(bytes)
		if err == nil && answer.StatusCode != 200 && !(answer.StatusCode == 500 && answer.Header.Get("x-weft-reason") == "") {
			err = fmt.Errorf("%d %v %s", answer.StatusCode, answer.Header, text)
		}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.tally.Asked++
	if err == nil {
		c.tally.Answers[text]++
		return
	}
	c.tally.Failed++
	if len(c.tally.Failures) < failuresMax {
		at := started.UTC().Format("15:04:05.000")
		c.tally.Failures = append(c.tally.Failures, fmt.Sprintf("%s %s after %v: %v", at, method, time.Since(started), err))
	}
}

// take answers what became of all requests since the last call, with none under way. With ?requests=N the answers are of the next N, and
// a few more that were begun; the rest is of all.
func (c *client) take(w http.ResponseWriter, r *http.Request) {
	if requests, _ := strconv.Atoi(r.URL.Query().Get("requests")); requests > 0 {
		c.pace.Lock()
		c.tally.Answers = map[string]int{}
		c.pace.Unlock()
		for c.count() < requests {
			time.Sleep(5 * time.Millisecond)
		}
	}
	c.pace.Lock()
	taken := c.tally
	c.tally = Tally{Answers: map[string]int{}}
	c.pace.Unlock()
	json.NewEncoder(w).Encode(taken)
}

func (c *client) count() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	sum := c.tally.Failed
	for _, count := range c.tally.Answers {
		sum += count
	}
	return sum
}

func ask(url string, rate int) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	c := &client{
		url:   url,
		http:  http.Client{Transport: transport, Timeout: 15 * time.Second},
		tally: Tally{Answers: map[string]int{}},
		body:  strings.Repeat("x", 1024),
	}
	http.HandleFunc("/take", c.take)
	go http.ListenAndServe("127.0.0.1:9000", nil)
	for number, tick := 0, time.Tick(time.Second/time.Duration(rate)); ; number++ {
		<-tick
		c.pace.RLock()
		go c.one(number)
	}
}

// Answers as the guides' pipy scripts say: one text, at one port, or at one address and port; every n-th time another status and text.
// At SIGTERM it answers what it has been asked, and ends.
package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
)

type message struct {
	status int
	body   string
}

// messagesOf reads what the script answers with, in its order.
func messagesOf(script string) (messages []message) {
	found := regexp.MustCompile(`new Message\((?:\{ status: (\d+) \}, )?'([^']*)'\)`).FindAllStringSubmatch(script, -1)
	for _, parts := range found {
		body, _ := strconv.Unquote(`"` + parts[2] + `"`)
		status, err := strconv.Atoi(parts[1])
		if err != nil {
			status = 200
		}
		messages = append(messages, message{status, body})
	}
	return messages
}

func main() {
	script := os.Args[len(os.Args)-1]
	place := regexp.MustCompile(`\.listen\('?([\d.]*:)?(\d+)'?\)`).FindStringSubmatch(script)
	messages := messagesOf(script)
	every := regexp.MustCompile(`\+\+n % (\d+) \?`).FindStringSubmatch(script)
	var asked atomic.Int64
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer := messages[0]
		if every != nil {
			number, _ := strconv.ParseInt(every[1], 10, 64)
			if asked.Add(1)%number == 0 {
				answer = messages[1]
			}
		}
		w.WriteHeader(answer.status)
		io.WriteString(w, answer.body)
	})
	address := place[1]
	if address == "" {
		address = ":"
	}
	server := &http.Server{Addr: address + place[2]}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	done := make(chan bool)
	go func() {
		<-signals
		server.Shutdown(context.Background())
		close(done)
	}()
	if server.ListenAndServe() == http.ErrServerClosed {
		<-done
	}
}

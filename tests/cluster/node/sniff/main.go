// sniff hears every frame that crosses the interfaces of its network namespace, and counts those with a text in them:
//
//	sniff TEXT
//
// It prints "ready", listens until its input ends, and prints the count.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// In network order: frames of all protocols.
const allProtocols = 0x0300

func main() {
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, allProtocols)
	if err != nil {
		fmt.Fprintln(os.Stderr, "no packet socket:", err)
		os.Exit(1)
	}
	// So that the end of the input is seen between frames.
	limit := syscall.NsecToTimeval(int64(20 * time.Millisecond))
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	fmt.Println("ready")
	fmt.Println(count(socket, []byte(os.Args[1]), ended))
}

// Frames that wait in the kernel when the input ends are heard too.
func count(socket int, text []byte, ended <-chan struct{}) int {
	frame := make([]byte, 1<<17)
	heard := 0
	for {
		length, _, err := syscall.Recvfrom(socket, frame, 0)
		if err == nil {
			if bytes.Contains(frame[:length], text) {
				heard++
				at := bytes.Index(frame[:length], text)
				fmt.Fprintf(os.Stderr, "heard: %q\n", frame[:min(length, at+len(text))])
			}
			continue
		}
		select {
		case <-ended:
			return heard
		default:
		}
	}
}

// Answers as the guide's pipy scripts say: one text, at one port, or at one address and port.
package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

func main() {
	script := os.Args[len(os.Args)-1]
	place := regexp.MustCompile(`\.listen\('?([\d.]*:)?(\d+)'?\)`).FindStringSubmatch(script)
	text := regexp.MustCompile(`new Message\(('[^']*')\)`).FindStringSubmatch(script)
	body, _ := strconv.Unquote(`"` + text[1][1:len(text[1])-1] + `"`)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	address := place[1]
	if address == "" {
		address = ":"
	}
	http.ListenAndServe(address+place[2], nil)
}

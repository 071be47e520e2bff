// Answers as the guide's pipy scripts say: one text, at one port.
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
	port := regexp.MustCompile(`\.listen\((\d+)\)`).FindStringSubmatch(script)
	text := regexp.MustCompile(`new Message\(('[^']*')\)`).FindStringSubmatch(script)
	body, _ := strconv.Unquote(`"` + text[1][1:len(text[1])-1] + `"`)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	http.ListenAndServe(":"+port[1], nil)
}

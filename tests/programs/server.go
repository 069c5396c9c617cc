// A container in Go: sums the numbers of each CSV line.
package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func main() {
	port := os.Getenv("SAGEMAKER_BIND_TO_PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/ping", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("/invocations", func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		out := strings.Builder{}
		for lines.Scan() {
			sum := 0.0
			for _, field := range strings.Split(lines.Text(), ",") {
				number, err := strconv.ParseFloat(field, 64)
				if err != nil {
					http.Error(w, "not a number: "+field, 400)
					return
				}
				sum += number
			}
			fmt.Fprintln(&out, sum)
		}
		w.Header().Set("Content-Type", "text/csv")
		fmt.Fprint(w, out.String())
	})
	if err := http.ListenAndServe("127.0.0.1:"+port, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

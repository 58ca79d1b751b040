package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// feeds starts a server of feeds, good and bad ones, and sets FEEDS to its
// address:
//
//	/file/NAME   the script's file, with an ETag; each request is a line in
//	             the file requests, with the status
//	/real/NAME   a recorded feed
//	/moved       leads to /real/rss.xml
//	/huge /slow /half /cut /circle   what they say
func feeds(ts *testscript.TestScript, _ bool, _ []string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/file/{name}", func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		content, err := os.ReadFile(ts.MkAbs(r.PathValue("name")))
		tag := fmt.Sprintf(`"%d"`, len(content))
		switch {
		case err != nil:
			status = http.StatusNotFound
		case r.Header.Get("If-None-Match") == tag:
			status = http.StatusNotModified
		}
		note(ts.MkAbs("requests"), fmt.Sprintf("%s %d\n", r.PathValue("name"), status))
		w.Header().Set("ETag", tag)
		w.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = w.Write(content)
		}
	})
	mux.HandleFunc("/real/{name}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(recordedFeeds, r.PathValue("name")))
	})
	mux.Handle("/moved", http.RedirectHandler("/real/rss.xml", http.StatusFound))
	mux.Handle("/circle", http.RedirectHandler("/circle", http.StatusFound))
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<rss>")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<rss version=\"2.0\"><channel><title>H</title><item><title>half \xe8\x82</title></item></channel></rss>")
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<rss version=\"2.0\"><channel><item><title>never</title></item>")
	})
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	ts.Setenv("FEEDS", server.URL)
}

const recordedFeeds = "../../internal/feed/testdata"

func note(file, line string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(line)
	_ = f.Close()
}

// posts TYPE TOPIC FILE publishes a file as a body of a type, without the
// command.
func posts(ts *testscript.TestScript, _ bool, args []string) {
	file, err := os.Open(ts.MkAbs(args[2]))
	ts.Check(err)
	defer file.Close()
	response, err := http.Post(hubsOf(ts).node.URL+"/publish?topic="+args[1], args[0], file)
	ts.Check(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		ts.Fatalf("%s: %s", response.Status, answer)
	}
}

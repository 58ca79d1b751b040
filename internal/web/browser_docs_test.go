package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"

	"tickertape/internal/nodetest"
)

// What the documents give to paste into a page works as it stands there, also
// in a page of another origin.
func documentedLines(s *scene) {
	var all []string
	for _, file := range [...]string{"README.md", "docs/browser.md"} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			s.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(text, -1) {
			all = append(all, string(block[1]))
		}
	}
	if len(all) != 4 {
		s.Errorf("%d scripts", len(all))
	}
	for _, script := range all {
		node := nodetest.Start(s, quick)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><script>window.said = [];
				console.log = (...words) => said.push(words.join(' '));</script><script type="module">%s</script>`,
				strings.ReplaceAll(script, "127.0.0.1:8080", node.Addr))
		}))
		s.tab.Open(elsewhere.URL)
		s.until("the page listens", func() bool { return node.Hub.Subscribers("news") == 1 })
		s.publish(node, note{Topic: "news", Data: "hello"}, note{Topic: "news", Event: "headline", Data: map[string]string{"title": "rates"}})
		s.tab.Wait(`said.some(line => line.includes('hello'))`, `said`)
		s.tab.Wait(`said.some(line => /rates|\[object Object\]/.test(line))`, `said`)
		s.tab.Open("about:blank")
		elsewhere.Close()
	}
	s.silent()
}

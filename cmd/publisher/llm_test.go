package main

import (
	"net/http/httptest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tickertape/internal/fakellm"
)

// llmKey is where a script keeps its model.
type llmKey struct{}

// llm DELAY starts the server of a model, which LLM names, in place of the one
// that there may be.
func llm(ts *testscript.TestScript, _ bool, args []string) {
	delay, err := time.ParseDuration(args[0])
	ts.Check(err)
	model := fakellm.New(fakellm.Options{Delay: delay})
	server := httptest.NewServer(model)
	ts.Defer(server.Close)
	ts.Setenv("LLM", server.URL+"/v1")
	models, ok := ts.Value(llmKey{}).(*[]*fakellm.Server)
	if !ok {
		ts.Fatalf("the script has no place for models")
	}
	*models = append(*models, model)
}

func lastAsked(ts *testscript.TestScript) fakellm.Asked {
	models, ok := ts.Value(llmKey{}).(*[]*fakellm.Server)
	if !ok || len(*models) == 0 {
		ts.Fatalf("the script has no model")
	}
	all := (*models)[len(*models)-1].Asked()
	if len(all) == 0 {
		ts.Fatalf("the model was not asked")
	}
	return all[len(all)-1]
}

// asked PROMPT KEY checks what the model was asked last, and the key that it was
// shown.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	if a := lastAsked(ts); a.Prompt != args[0] || a.Key != args[1] {
		ts.Fatalf("the model was asked %q with the key %q", a.Prompt, a.Key)
	}
}

// gone waits until the model has seen that nobody wants the rest of its last
// answer.
func gone(ts *testscript.TestScript, _ bool, _ []string) {
	for limit := time.Now().Add(patience); !lastAsked(ts).Gone; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			ts.Fatalf("the model goes on")
		}
	}
}

package event

// Foreign is what becomes of an event of a stream that somebody else wrote,
// an LLM's answer or another hub's topic, when it is published here.
// docs/streams.md tells the rules.
type Foreign struct {
	Name string // of the message; empty if the event has none of its own
	Skip bool   // it becomes no message
	Last bool   // nothing follows, whatever may come
}

// FromStream applies the rules to an event of such a stream. Names to which
// browsers and hubs give a meaning of their own become the upstream's.
func FromStream(name, data string) Foreign {
	switch {
	case name == DefaultName && data == "[DONE]": // how OpenAI's Chat Completions end
		return Foreign{Skip: true, Last: true}
	case name == DefaultName:
		return Foreign{}
	case name == "response.completed", name == "response.failed", name == "response.incomplete": // the same of its Responses
		return Foreign{Name: name, Last: true}
	case name == "hub.open", name == "hub.heartbeat", name == "hub.cursor": // how the other hub's connection fares
		return Foreign{Skip: true}
	case reserved(name):
		return Foreign{Name: "upstream." + name}
	}
	return Foreign{Name: name}
}

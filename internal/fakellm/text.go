package fakellm

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"unicode"
)

// sentences are what answers are made of. Some are not English, so that
// characters of two, three and four bytes are in most answers.
var sentences = [...]string{
	"Ticker tape was the first medium that showed prices as they were made.",
	"A clerk in New York wrote a quote down, and a machine in Boston printed it a moment later.",
	"Who came late to the machine found the whole strip lying in a basket.",
	"Nobody who tore it off could say which end was which without the numbers on it.",
	"That is why each line here has a number, too, and why you may reload this page.",
	"“Nothing twice, nothing missing” is easier said than done.",
	"A naïve reader asks again from the start; a wise one says how far it came.",
	"行情纸带曾经是最快的消息来源。",
	"断线之后,从断开的地方继续读下去就好。",
	"Prices rose 📈 and fell 📉, and the tape said both.",
	"Zwei Züge fuhren über die Brücke, pünktlich wie selten.",
	"The last word belongs to the one who holds the lease.",
	"If the writer goes away, the reader must be told, or it waits for ever.",
	"So the end is a line like any other: it comes once, and it comes last. 👍🏽",
}

// tokens returns the answer to a prompt in the pieces that it is streamed in.
func (s *Server) tokens(prompt string) []string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(prompt)) // a hash takes everything
	random := rand.New(rand.NewPCG(s.options.Seed, hash.Sum64()))
	short := prompt
	if runes := []rune(prompt); len(runes) > 60 {
		short = string(runes[:60]) + "…"
	}
	pieces := split("You asked: “" + short + "”\n\n")
	var order []int
	for i := 0; len(pieces) < s.options.Tokens; i++ {
		if i%len(sentences) == 0 {
			order = random.Perm(len(sentences))
		}
		between := " "
		if i%4 == 3 {
			between = "\n\n"
		}
		pieces = append(pieces, split(sentences[order[i%len(sentences)]]+between)...)
	}
	return pieces
}

// split makes pieces as models do: a word with the space before it, long words
// in two, and each Chinese character.
func split(text string) (pieces []string) {
	var piece strings.Builder
	flush := func() {
		if piece.Len() > 0 {
			pieces = append(pieces, piece.String())
			piece.Reset()
		}
	}
	for _, r := range text {
		if r == ' ' || unicode.Is(unicode.Han, r) || piece.Len() >= 8 {
			flush()
		}
		piece.WriteRune(r)
	}
	flush()
	return pieces
}

func promptTokens(prompt string) int { return len(split(prompt)) }

package web_test

import (
	"encoding/json"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// In both themes every text stands out from its ground, and everything that
// can be used has a name, so that it can be read, also aloud.
func pageCanBeRead(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news&topic=quotes.AAPL&topic=quotes.MSFT")
	s.awaitState("open")
	s.publish(node, quoteOf("AAPL", 187.2), quoteOf("AAPL", 188.2), quoteOf("MSFT", 428.2), quoteOf("MSFT", 427.2),
		note{Topic: "news", Key: "k", Data: map[string]string{"title": "A title", "link": "https://news.example", "source": "Wire"}})
	s.awaitRows(5)
	s.tab.Type("#publish-topic", "hub.no")
	s.tab.Click("#send")
	s.tab.Wait(`document.querySelector('#receipt').innerText !== ''`)
	browser.Eval[bool](s.tab, `import('/page/notices.js').then(notices => {
		notices.showProblem('a problem');
		notices.showGap({ topic: 'news', reason: 'trimmed' });
		return import('/page/feed.js');
	}).then(feed => feed.addGap({ topic: 'news', reason: 'trimmed' })).then(() => true)`)
	s.awaitRows(6)
	browser.Eval[bool](s.tab, `['#welcome', '#sign-in', '#forget', '#topics-refused'].forEach(part => document.querySelector(part).hidden = false),
		document.querySelector('#sign-in-why').replaceChildren('This is none.'), document.querySelector('#sign-in-why').classList.add('bad'),
		document.querySelector('#topics-why').replaceChildren('Not all.'), true`)
	for _, theme := range [...]string{"light", "dark"} {
		s.tab.Show(browser.Screen{Width: 1280, Height: 900, Scale: 1, Dark: theme == "dark"})
		s.tab.Wait(`document.getAnimations().length === 0`)
		type text struct {
			Text, Ink, Ground string
			Ratio             float64
		}
		texts := browser.Eval[[]text](s.tab, contrasts)
		if len(texts) < 40 {
			s.Fatalf("%d texts looked at", len(texts))
		}
		for _, t := range texts {
			if t.Ratio < 4.5 {
				s.Errorf("%s: %q in %s on %s has a contrast of %.2f", theme, t.Text, t.Ink, t.Ground, t.Ratio)
			}
		}
	}
	nameless := browser.Eval[json.RawMessage](s.tab, `[...document.querySelectorAll('button, a, input, textarea')].
		filter(e => !(e.ariaLabel || e.innerText?.trim() || e.labels?.[0]?.innerText.trim())).map(e => e.outerHTML)`)
	if string(nameless) != "[]" {
		s.Errorf("without a name: %s", nameless)
	}
	if s.tab.Click("#theme"); browser.Eval[string](s.tab, `document.documentElement.dataset.theme`) != "light" {
		s.Error("the button does not change from dark to light")
	}
	s.quiet()
}

// contrasts tells of each text that is shown its contrast after WCAG 2.
const contrasts = `(() => {
	const numbers = colour => colour.match(/[\d.]+/g).map(Number);
	const light = colour => {
		const [r, g, b] = numbers(colour).map(n => n / 255).map(n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const groundOf = e => {
		const colour = getComputedStyle(e).backgroundColor;
		return numbers(colour)[3] === 0 ? groundOf(e.parentElement) : colour;
	};
	const shown = e => e.checkVisibility() && !e.closest('.unseen, :disabled') &&
		[...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
	return [...document.body.querySelectorAll('*')].filter(shown).map(e => {
		const [ink, ground] = [getComputedStyle(e).color, groundOf(e)];
		const [a, b] = [light(ink), light(ground)].sort((a, b) => b - a);
		return { Text: e.textContent.slice(0, 40), Ink: ink, Ground: ground, Ratio: (a + 0.05) / (b + 0.05) };
	});
})()`

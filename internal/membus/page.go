package membus

import (
	"slices"

	"tickertape/internal/event"
)

// page reads a range.
func (t *topic) page(r event.Range) event.Page {
	kept := t.between(&r)
	page := event.Page{After: r.After, Upto: r.Upto}
	if t.end != nil {
		end := *t.end
		page.End = &end
	}
	bytes := 0
	for _, e := range kept {
		if n := len(page.Events); r.Limit > 0 && n == r.Limit || r.Bytes > 0 && n > 0 && bytes >= r.Bytes {
			page.Upto = page.Events[n-1].Position
			break
		}
		page.Events = append(page.Events, e.event)
		bytes += len(e.event.Data.Text)
	}
	t.addGap(&page, page.Upto != r.Upto)
	return page
}

// between returns the entries of the range, none of them empty. If only the
// last ones are wanted, the range begins right before them from then on.
func (t *topic) between(r *event.Range) []entry {
	from, to := t.behind(r.After), t.behind(r.Upto)
	if to < from {
		to = from
	}
	kept := t.entries()[from:to]
	if t.out > 0 {
		kept = slices.DeleteFunc(slices.Clone(kept), entry.empty)
	}
	if r.Last > 0 && len(kept) > r.Last {
		kept = kept[len(kept)-r.Last:]
		r.After = kept[0].event.Prev
	}
	return kept
}

// addGap adds what is gone. If that reaches beyond a page with events, some of
// it may have stood anywhere among them, so the gap stands as late as it can.
// What reaches beyond a page that a limit cut is a matter of the next one.
func (t *topic) addGap(page *event.Page, cut bool) {
	gap := t.gone
	switch {
	case !gap.Position.After(page.After):
		return
	case !gap.Position.After(page.Upto):
	case cut:
		return
	case len(page.Events) == 0:
		page.Upto = page.After
	default:
		gap.Position = page.Upto
		for i := len(page.Events) - 1; i >= 0 && page.Events[i].Position == gap.Position; i-- {
			gap.Position = gap.Position.Previous()
		}
		if !gap.Position.After(page.After) {
			return // every place of the page is taken
		}
	}
	page.Gaps = []event.Gap{gap}
}

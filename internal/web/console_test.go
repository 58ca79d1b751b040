package web_test

import (
	"testing"

	"tickertape/internal/browser"
)

// TestConsole runs all tests of the page at / in one Chromium.
func TestConsole(t *testing.T) {
	t.Parallel()
	chromium := browser.Start(t)
	for name, test := range map[string]func(*scene){
		"shows and publishes": pageShowsAndPublishes,
		"comes back":          pageComesBack,
		"says what is wrong":  pageSaysWhatIsWrong,
		"keeps 500 rows":      pageKeepsFewRows,
		"shows text only":     pageShowsTextOnly,
		"bears publishers":    pageBearsPublishers,
		"bears links":         pageBearsLinks,
		"fits a phone":        pageFitsPhone,
		"speaks Chinese":      pageSpeaksChinese,
		"makes pictures":      pageMakesPictures,
		"welcomes":            pageWelcomes,
		"quotes and news":     pageShowsQuotesAndNews,
		"follows new topics":  pageFollowsNewTopics,
		"follows the picked":  pageFollowsPicked,
		"shows ends":          pageShowsEnds,
		"outlives a reload":   pageOutlivesReload,
		"pauses and filters":  pagePausesAndFilters,
		"bears a flood":       pageBearsFlood,
		"bears numbers":       pageBearsNumbers,
		"bears settings":      pageBearsSettings,
		"keeps little":        pageKeepsLittle,
		"tells hubs apart":    pageTellsHubsApart,
		"says trouble":        pageSaysTrouble,
		"can be read":         pageCanBeRead,
		"has all texts":       pageHasAllTexts,
		"shares its stream":   pageSharesStream,
		"over three nodes":    pageOverThreeNodes,
		"signs in":            pageSignsIn,
		"renews its token":    pageRenews,
		"has few rights":      pageOfFewRights,
		"is everybody's":      pageOfEverybody,
		"shows the sign-in":   pageShowsSignIn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&scene{T: t, tab: chromium.Tab(t)})
		})
	}
}

package web

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// openAPI describes everything that this package answers. A test holds it
// against what a running server takes and answers.
//
//go:embed openapi.yaml
var openAPI []byte

// serveOpenAPI answers GET /openapi.yaml.
func serveOpenAPI(c *gin.Context) {
	publicHeaders(c)
	c.Data(http.StatusOK, "application/yaml", openAPI)
}

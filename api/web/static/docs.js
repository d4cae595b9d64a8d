"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  // Its default asks a validator on another site about this service's OpenAPI document.
  validatorUrl: null,
});

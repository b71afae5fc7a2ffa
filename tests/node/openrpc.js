// Checks a document of OpenRPC, which comes on standard input, by the meta schema of its makers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import openRpc from "@open-rpc/meta-schema";
import Ajv from "ajv";

// It leads to another site for what a schema within a document may be, which is draft 7.
const { $schema, $id, ...metaSchema } = openRpc.default;
const text = JSON.stringify(metaSchema)
  .replaceAll(/"\$ref":"https:\/\/meta\.json-schema\.tools\/#[^"]*"/g, '"type":"string"')
  .replaceAll("https://meta.json-schema.tools", "http://json-schema.org/draft-07/schema#");
const check = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(text));
const document = JSON.parse(readFileSync(0, "utf8"));
assert(check(document), JSON.stringify(check.errors, null, 1));
// Every reference leads somewhere.
for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
  assert(name in document.components.schemas, name);
}
assert(!check({ ...document, methods: [{ name: "x" }] }), "it notices what is wrong");

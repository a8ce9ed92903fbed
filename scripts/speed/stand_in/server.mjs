// What another server could be at its quickest: the npm SDK on its low level, as many tools, a signed fetch, no gate.
// `scripts/speed/other_servers.py` installs it as the lock pins it. Its one argument is saasus_mcp/server/stdio/early/ready.json.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const tools = JSON.parse(readFileSync(process.argv[2], "utf8")).tools.filter((row) => row.tool._meta).map((row) => row.tool);
const { SAASUS_SAAS_ID: saas, SAASUS_API_KEY: key, SAASUS_SECRET_KEY: secret, SAASUS_API_URL_BASE: base } = process.env;
const byName = new Map(tools.map((tool) => [tool.name, tool]));

async function call(name) {
  const [method, path] = byName.get(name)._meta["saasus.io/http"].split(" ");
  const url = new URL(path, base);
  const time = new Date().toISOString().replace(/\D/g, "").slice(0, 12);
  const signature = createHmac("sha256", secret).update(time + key + method + url.host + url.pathname).digest("hex");
  const answer = await fetch(url, { method, headers: { Authorization: `SAASUSSIGV1 Sig=${signature}, SaaSID=${saas}, APIKey=${key}` } });
  const value = await answer.json();
  return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
}

const server = new Server({ name: "stand-in", version: "1" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools }));
server.setRequestHandler(CallToolRequestSchema, async (request) => call(request.params.name));
await server.connect(new StdioServerTransport());

// Calls every method of `users.v1.Users` with @grpc/grpc-js, which reads the schema itself.
//
//     NODE_PATH=tests/node/node_modules node examples/clients/call_users.cjs 127.0.0.1:PORT
const path = require("node:path");
const { promisify } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const folders = ["../proto", "../../rpc-build/proto"].map((it) => path.join(__dirname, it));
const schema = loader.loadSync("users/v1/users.proto", { includeDirs: folders });
const { Users } = grpc.loadPackageDefinition(schema).users.v1;

const text = (items) => items.map((it) => it.text).join("; ");

/** Everything that a stream brings. */
async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function main() {
  const users = new Users(process.argv[2], grpc.credentials.createInsecure());
  const call = (name, request) => promisify(users[name].bind(users))(request);

  const created = await call("CreateUser", { name: "Donald Knuth" });
  console.log("CreateUser ", String(created.id), created.name);
  const found = await call("GetUser", { id: created.id });
  console.log("GetUser    ", String(found.id), found.name);
  const ids = await new Promise((resolve, reject) => {
    const upload = users.CreateUsers((error, reply) => (error ? reject(error) : resolve(reply.ids)));
    for (const name of ["Radia Perlman", "Leslie Lamport"]) upload.write({ name });
    upload.end();
  });
  console.log("CreateUsers", ids.map(String).join(", "));
  const listed = await all(users.ListUsers({}));
  console.log("ListUsers  ", listed.map((it) => it.name).join(", "));
  const chat = users.Chat();
  for (const said of ["is Donald Knuth here?", "and Zoe?"]) chat.write({ text: said });
  chat.end();
  console.log("Chat       ", text(await all(chat)));
  const refused = await call("GetUser", { id: 99 }).catch((error) => error);
  if (refused.code !== grpc.status.NOT_FOUND) throw new Error("a user that nobody made was to be refused");
  console.log("GetUser     refused:", refused.code, refused.details);
  users.close();
}

main();

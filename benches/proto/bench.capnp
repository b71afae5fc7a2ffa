@0xb8c1d6a9c2e4f071;

struct Small {
  id @0 :UInt64;
  name @1 :Text;
  tags @2 :List(Text);
}

interface Bench {
  echo @0 (message :Small) -> (message :Small);
  echoBytes @1 (body :Data) -> (body :Data);
  burn @2 (nanos :UInt64) -> ();
  items @3 (count :UInt64, sink :Sink) -> ();
}

# What the caller hands over for a stream from the server.
interface Sink {
  item @0 (message :Small) -> stream;
}

@0xe5a3f1d0c7b24986;

struct Small {
  id @0 :UInt64;
  name @1 :Text;
  tags @2 :List(Text);
}

interface Minimal {
  echo @0 (message :Small) -> (message :Small);
}

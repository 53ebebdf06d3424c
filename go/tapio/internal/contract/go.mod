// Not tapio: a contract. It has tapio's import path so that github.com/servicemap/servicemap/go/tapio compiles and is
// tested without a checkout of tapio, through a replace directive. Nobody can fetch it under that path.
module github.com/yairfalse/tapio

go 1.24.0

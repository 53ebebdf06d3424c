// Package domain stands in for tapio's package of the same path in the tests of this repository. It is written from
// what tapio's types are, name by name, and has none of tapio's code: only what the observer sets, and the rules by which
// tapio checks an event. A program that is built with tapio has tapio's own package in its place.
package domain

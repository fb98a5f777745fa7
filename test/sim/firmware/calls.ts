// Every way in which a function is called once that the link step must get right; what it prints is compared before and after linking.

class Point {
    x = 3
    y = 4
    sum(): number {
        return this.x + this.y
    }
}

function isThird(n: number): boolean {
    if (n % 3 === 0) return true
    return false
}

// a local that is set in the first round only: a new frame has it undefined in the second
function sometimes(round: number): string {
    let text: string
    if (round === 0) text = "set"
    return text + "/" + round
}

function early(n: number): void {
    if (n > 2) return
    console.log("early " + n)
}

function twice(n: number): number {
    return 2 * n
}

function nested(n: number, list: number[]): number {
    let sum = twice(n)
    for (let i = 0; i < list.length; i++) {
        if (list[i] === 7) return sum
        sum += list[i]
    }
    return -1
}

function changes(n: number): number {
    n = n + 10
    return n
}

function withDefault(a: number, b = 5): number {
    return a * b
}

function throws(n: number): number {
    if (n === 2) throw new Error("two")
    return n * 100
}

function guarded(n: number): string {
    try {
        const value = throws(n)
        return "ok " + value
    } catch (e) {
        return "caught " + n
    }
}

function cleaned(n: number): string {
    let text = "begun"
    try {
        if (n === 1) return text + ", left"
        text += " " + throws(n)
    } finally {
        console.log("cleaned " + n)
    }
    return text
}

function tried(n: number): string {
    try {
        return cleaned(n)
    } catch (e) {
        return "cleaned, and thrown"
    }
}

function factorial(n: number): number {
    if (n < 2) return 1
    return n * factorial(n - 1)
}

function counter(): () => number {
    let count = 0
    return () => {
        count++
        return count
    }
}

function order(a: number, b: number, c: number): string {
    return a + "," + b + "," + c
}

// small ones, called in several places: they are written at each
function atMost(n: number): number {
    if (n > 3) return 3
    return n
}

function note(text: string): void {
    console.log("note " + text)
}

function raised(n: number): number {
    n++
    return n
}

function maybe(n: number): number {
    if (n > 1) return n
    return undefined
}

function joined(a: string, b: string): string {
    return b + a
}

// what is handed over stays as it was, whatever a closure does to the variable meanwhile
let bump: () => void
function late(n: number): string {
    bump()
    return "late " + n
}

function lateOnce(n: number): string {
    bump()
    return "once " + n
}

function bumped(round: number): string {
    let sum = round
    bump = () => {
        sum++
    }
    const one = late(sum)
    const two = late(sum)
    const three = lateOnce(sum)
    return one + ", " + two + ", " + three + ", " + sum
}

let calls = 0
function next(): number {
    calls++
    return calls
}

function longJump(n: number): string {
    let text = ""
    while (n > 0) {
        if (n === 9) text += "nine"
        else if (n === 8) text += "eight"
        else if (n === 7) text += "seven"
        else if (n === 6) text += "six"
        else if (n === 5) text += "five"
        else if (n === 4) text += "four"
        else if (n === 3) text += "three"
        else if (n === 2) text += "two"
        else if (n === 1) text += "one"
        else text += "many, which takes more than two hundred bytes of code from here to the beginning"
        if (n % 2 === 0) text += "-"
        if (n % 5 === 0) text += "+"
        if (n % 7 === 0) text += "*"
        if (n === 11) {
            n -= 2
            continue
        }
        n--
    }
    return text
}

async function waits(n: number): Promise<number> {
    await ds.sleep(n)
    return n + 1
}

import * as ds from "@devicescript/core"

const start = 5
// eslint-disable-next-line prefer-const -- a constant would be folded away
let n = start
console.log("changed " + changes(n) + " from " + n)
for (let i = 0; i < 3; i++) console.log(sometimes(i))
for (let i = 0; i < 5; i++) {
    early(i)
    const third = isThird(i)
    if (third) console.log(i + " is a third")
    console.log(guarded(i))
    console.log(tried(i))
}
for (let i = 2; i < 6; i++) {
    const small = atMost(i)
    const same = raised(i)
    note(i + " " + small + " " + same)
    const none = maybe(i - 3)
    note("maybe " + none)
    const one = "x" + i
    const both = joined(one, one)
    const twisted = joined("a", one)
    note(both + " " + twisted)
    if (raised(small) === 4 && atMost(n) < 4) note("condition " + atMost(raised(i)))
    const other = maybe(i)
    const rest = joined(atMost(i) + "", raised(other) + "")
    note(rest)
    maybe(i)
}
console.log("nested " + nested(n, [1, 2, 7, 9]))
console.log("default " + withDefault(3))
console.log("factorial " + factorial(6))
const count = counter()
count()
console.log("count " + count())
console.log("order " + order(next(), next(), next()))
console.log(longJump(12))
console.log("sum " + new Point().sum())
for (let i = 0; i < 2; i++) console.log(bumped(i))
const waited = await waits(3)
console.log("waited " + waited)
next()
console.log("calls " + calls)

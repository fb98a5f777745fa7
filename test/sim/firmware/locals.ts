// Locals that hold copies, constants and several values after each other: what the link step gives other places. What this prints is compared
// before and after linking.

import * as ds from "@devicescript/core"

let asked = 0

function ask(value: any): any {
    asked++
    if (value === 7) throw new Error("seven")
    return value
}

/** A copy is needed after what it was taken from has changed, and the other way round. */
function copies(a: number, b: number): string {
    const was = a
    let now = b
    const then = now
    a = a + b
    now = a - 1
    let text = was + "," + then + "," + now + "," + a
    for (let i = 0; i < 3; i++) {
        const before = now
        now = b
        b = before
        text += "/" + before + now + b
    }
    return text + was
}

function swapped(n: number): string {
    let a = 1
    let b = 2
    let c = 3
    while (n-- > 0) {
        const t = a
        a = b
        b = c
        c = t
    }
    return "" + a + b + c
}

/** A constant in one way, something else in another. */
function chosen(a: any, b: any): string {
    const one = a ? 5 : b
    const none = 0
    let last: any = "none"
    if (b) last = one
    else if (a) last = none
    const big = 100_000
    return one + ":" + none + ":" + last + ":" + (big + one) + ":" + big
}

/** What is set within a `try` is read behind it and in its handler. */
function kept(a: any, b: any): string {
    let step = 0
    let seen: any = "-"
    const first = a
    try {
        step = 1
        seen = ask(a)
        step = 2
        a = b
        seen = ask(b)
        step = 3
    } catch {
        seen = seen + "caught" + step
    }
    try {
        const more = seen
        seen = 1
        ask(b)
        seen = more
    } catch {
        step += 10
    }
    return first + "," + a + "," + step + "," + seen
}

function notSet(n: number): string {
    let text = ""
    for (let i = 0; i < n; i++) {
        let late: any
        if (i === 1) late = i
        text += late
        const other = i * 2
        text += other
    }
    return text
}

class Pair {
    a: any
    b: any
    constructor(a: any, b: any) {
        const before = b
        this.a = a
        b = a
        const after = b
        a = before
        this.b = ask(a) + after
        const last = ask(1)
        asked += last
    }
    sum(c: any): string {
        const own = this.a
        const other = this.b
        c = c + own
        this.a = c
        return own + other + c
    }
}

function gathered(first: any, ...rest: any[]): string {
    const count = rest.length
    let text = "" + first
    first = count
    for (let i = 0; i < count; i++) text += "+" + rest[i]
    return text + first
}

function counter(step: number): () => number {
    let n = step
    const by = n
    return () => {
        n = n + by
        return n
    }
}

const values = [0, 1, 2, 7, "", "x", undefined, true]
for (let i = 0; i < values.length; i++) {
    for (let j = 0; j < values.length; j++) {
        console.log(copies(i, j) + " " + chosen(values[i], values[j]) + " " + kept(values[i], values[j]) + " " + asked)
        await ds.sleep(1)
    }
    console.log(swapped(i) + " " + notSet(i))
    const pair = new Pair(i + 10, "p")
    console.log(pair.sum(i) + " " + pair.a + pair.b + " " + gathered(i, 1, 2) + gathered(i) + " " + asked)
}
const next = counter(3)
console.log(next() + " " + next())
console.log("asked " + asked)

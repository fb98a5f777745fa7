// Ways through a function with `try`, returns that stand more than once, and new buffers: what the link step writes once or in another way. What
// this prints is compared before and after linking.

import * as ds from "@devicescript/core"

let asked = 0

function ask(value: any): any {
    asked++
    if (value === 7) throw new Error("seven")
    return value
}

/** Many ways out, all alike. */
function checked(a: any, b: any, n: number): boolean {
    if (a === 3) return false
    if (b !== 2) return false
    if (n > 5) return false
    if (ask(a)) return false
    if (!ask(b)) return false
    return n > 2
}

function nothing(a: any, b: any): any {
    if (a) return
    if (a === b) return undefined
    asked += 10
    if (b > 2) return a
    if (b > 1) return b
    if (ask(b)) return a
    return b
}

/** The same statements stand within a `try`, within another, and behind them. */
function tried(a: any, b: any): string {
    let text = "t"
    try {
        if (a === 1) {
            text += ask(b)
            asked += 3
            text += "!"
        } else {
            text += "-"
            asked += 3
            text += "!"
        }
        try {
            if (a && b) {
                text += ask(a)
                asked += 3
                text += "!"
            }
            if (a > 4) return text
        } catch {
            text += "inner"
            asked += 3
            text += "!"
        }
        for (let i = 0; i < 3; i++) {
            if (ask(i) === b) break
            text += "+"
        }
    } catch (e) {
        text += "outer"
        asked += 3
        text += "!"
        return text
    }
    if (b === 2) {
        asked += 3
        text += "!"
        return text
    }
    return text
}

function atLast(a: any, b: any): string {
    let text = "f"
    try {
        if (a === 2) return text + "two"
        if (b === 2) return text + "two"
        text += ask(a)
    } finally {
        asked += 5
        text += "end"
        if (a === b) console.log(text)
    }
    return text
}

function buffers(n: number): string {
    const first = Buffer.alloc(n)
    const second = Buffer.alloc(n > 4 ? n : n + 1)
    for (let i = 0; i < first.length; i++) asked += first[i]
    if (n > 0) first[0] = n
    return first.length + "/" + second.length + "/" + second[0] + "/" + Buffer.alloc(n * 2).length
}

/** What cannot be is refused alike. */
function refused(size: any): string {
    try {
        return "" + Buffer.alloc(size).length
    } catch (e) {
        return "refused: " + (e as Error).message
    }
}

const values = [0, 1, 2, 3, 5, 7, "", "x", undefined, true]
for (let i = 0; i < values.length; i++) {
    for (let j = 0; j < values.length; j++) {
        try {
            console.log(checked(values[i], values[j], i) + " " + nothing(values[i], values[j]) + " " + asked)
        } catch {
            console.log("thrown " + asked)
        }
        console.log(tried(values[i], values[j]) + " " + asked)
        try {
            console.log(atLast(values[i], values[j]) + " " + asked)
        } catch {
            console.log("thrown at last " + asked)
        }
        await ds.sleep(1)
    }
}
for (let i = 0; i < 8; i++) console.log(buffers(i * i))
const sizes = [0, 1.5, "3", undefined, true, 5000]
for (let i = 0; i < sizes.length; i++) console.log(refused(sizes[i]))
console.log("asked " + asked)

// Conditions of several parts, and ways that end alike: what the link step makes of jumps and of locals for one value. What this prints is
// compared before and after linking.

import * as ds from "@devicescript/core"

let asked = 0

function ask(value: any): any {
    asked++
    return value
}

function both(a: any, b: any): string {
    if (ask(a) && ask(b)) return "both"
    return "not both"
}

function either(a: any, b: any): string {
    if (ask(a) || ask(b)) return "either"
    return "neither"
}

function mixed(a: any, b: any, c: any): string {
    let text = ""
    if ((ask(a) && ask(b)) || ask(c)) text += "1"
    if (ask(a) && (ask(b) || ask(c))) text += "2"
    if (!(ask(a) || ask(b)) && !ask(c)) text += "3"
    if (!ask(a)) text += "4"
    else text += "5"
    return text
}

/** The value of a condition is looked at again: it must be kept. */
function kept(a: any, b: any): any {
    const value = ask(a) && ask(b)
    if (value) return value
    return typeof value
}

function isOne(a: any, b: any): boolean {
    const same = a === b
    if (same) asked += 100
    return same
}

function fallback(a: any, b: any): any {
    return ask(a) || ask(b)
}

function loops(n: number): number {
    let sum = 0
    for (let i = 0; i < n && sum < 20; i++) {
        if (i === 2) continue
        if (i !== 4) sum += i
        else break
        while (sum > 5 && sum % 2 === 1) sum--
    }
    return sum
}

/** The last statements of each way are the same. */
function alike(n: number): string {
    let text = "n"
    if (n === 1) {
        text += "one"
        asked += 3
        text += asked
        return text + "!"
    }
    if (n === 2) {
        text += "two"
        asked += 3
        text += asked
        return text + "!"
    }
    if (n > 2) {
        for (let i = 0; i < n; i++) {
            if (i === 1) {
                asked++
                text += asked
                continue
            }
            text += "-"
            asked++
            text += asked
        }
    } else {
        asked++
        text += asked
    }
    return text
}

/** A local of one way holds its value over another's. */
function crossed(n: number): string {
    let a = "a"
    let b = ask("b")
    if (n > 1) {
        const t = a
        a = b
        b = t
    }
    const last = ask(a)
    const first = last
    return first + b + last
}

const values = [0, 1, -1, 0.5, NaN, "", "x", null, undefined, true, false]
for (let i = 0; i < values.length; i++) {
    for (let j = 0; j < values.length; j++) {
        const line = both(values[i], values[j]) + " " + either(values[i], values[j]) + " " + asked
        console.log(line + " " + isOne(values[i], values[j]) + " " + fallback(values[i], values[j]))
        console.log("kept " + kept(values[i], values[j]) + " " + asked)
        await ds.sleep(1)
    }
    for (let k = 0; k < 8; k++)
        console.log(mixed(k & 1 ? values[i] : 0, k & 2 ? values[i] : "", k & 4 ? values[i] : false) + " " + asked)
    await ds.sleep(1)
}
for (let i = 0; i < 6; i++) console.log(loops(i * 3) + " " + alike(i) + " " + crossed(i))
console.log("asked " + asked)

/** The verb `events`: what happened at the nodes, in order of time, in words. */
import type { Command } from "commander"
import type { SeenEvent } from "../client"
import { exitCodes, isError, TwinfilerError } from "../error"
import { EventWords, eventFacts, kindName } from "../protocol/events"
import { volumeLetter } from "../protocol/numbers"
import { outputVersion, type Context } from "./context"
import { parseLetter } from "./paths"
import type { AddVerb } from "./verb"

const pollMs = 500
const answerMs = 1_500

export function addEventsVerb(verb: AddVerb): void {
    verb("events", "show what happened at the nodes: changes of role, epoch, array, link and protection", command =>
        command
            .argument("[node]", "only this one, like a")
            .option("-f, --follow", "go on with what happens, until Ctrl-C"),
    ).does(events)
}

interface Line {
    atMs: number
    node: number
    text: string
    facts: Record<string, unknown>
}

async function events(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string | undefined]
    const { follow } = command.optsWithGlobals() as { follow?: boolean }
    const only = text === undefined ? undefined : parseLetter(text, "node")
    const { signal, clock } = context.world
    const wordsOf = new Map<number, EventWords>()
    // the host's clock counts from anywhere
    const epochMs = 1_000 * context.world.now() - clock.now()
    let waiting: Line[] = []
    if (only === undefined) await context.settle()
    else await context.checkOnBus(only, "node")
    for (let isFirst = true; ; isFirst = false) {
        const begunMs = clock.now()
        const missed = isFirst ? (node: number) => noteMissed(context, node) : undefined
        for (const event of await heard(context, only, missed)) {
            let words = wordsOf.get(event.node)
            if (!words) wordsOf.set(event.node, (words = new EventWords(event.node)))
            waiting.push(...linesOf(event, words))
        }
        waiting.sort((one, other) => one.atMs - other.atMs)
        // what is younger than the question may have happened after something a node has not told yet
        const ready = waiting.filter(({ atMs }) => !follow || atMs <= begunMs)
        waiting = waiting.slice(ready.length)
        if (follow) for (const line of ready) show(context, line, epochMs)
        else if (context.options.json) context.printJson({ events: ready.map(line => shown(line, epochMs)) })
        else for (const line of ready) show(context, line, epochMs)
        if (!follow) return
        await pause(context, pollMs)
        if (signal.aborted) throw new TwinfilerError("aborted", "events: stopped")
    }
}

function noteMissed(context: Context, node: number): void {
    context.note(`node ${volumeLetter(node)} does not answer: what happened there is not told`)
    context.exitCode = exitCodes.degraded
}

/** The new events of every node that answers; the first time, with `missed`, one that was named must, and the others are told of. */
async function heard({ client, call }: Context, only: number | undefined, missed?: (node: number) => void) {
    const quick = { ...call, timeoutMs: answerMs }
    const nodes =
        only === undefined
            ? client
                  .nodes()
                  .filter(({ isHeard }) => isHeard)
                  .map(({ node }) => node)
            : [only]
    const told = nodes.map(node =>
        client.events(node, quick).catch((error: unknown) => {
            if (!isError(error) || isError(error, "aborted")) throw error
            if (missed && only !== undefined) throw error
            missed?.(node)
            return [] as SeenEvent[]
        }),
    )
    return (await Promise.all(told)).flat()
}

function linesOf(event: SeenEvent, words: EventWords): Line[] {
    const { node, atMs, number, uptimeMs, lostBefore } = event
    const lines: Line[] = []
    if (lostBefore) {
        words.lost()
        const text = lostBefore === 1 ? "1 event was lost" : `${lostBefore} events were lost`
        lines.push({ atMs, node, text: `(${text})`, facts: { lost: lostBefore } })
    }
    const text = words.say(event)
    const facts = { number, uptimeMs, kind: kindName(event.kind), ...eventFacts(node, event) }
    if (text !== undefined) lines.push({ atMs, node, text, facts })
    return lines
}

function shown({ atMs, node, text, facts }: Line, epochMs: number) {
    const time = new Date(epochMs + atMs).toISOString()
    return { time, node: volumeLetter(node), ...facts, text }
}

function show(context: Context, line: Line, epochMs: number): void {
    const { time, node, text } = shown(line, epochMs)
    if (context.options.json) context.print(JSON.stringify({ outputVersion, ...shown(line, epochMs) }))
    else context.print(`${time.slice(0, 23).replace("T", " ")}  ${node}  ${text}`)
}

function pause({ world: { clock, signal } }: Context, delayMs: number): Promise<void> {
    return new Promise(resolve => {
        if (signal.aborted) return resolve()
        const end = () => {
            clock.clearTimeout(timer)
            signal.removeEventListener("abort", end)
            resolve()
        }
        const timer = clock.setTimeout(end, delayMs)
        signal.addEventListener("abort", end)
    })
}

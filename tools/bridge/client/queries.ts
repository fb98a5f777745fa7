/** Queries and controls: each waits for its turn among the 8 outstanding, is sent until answered, changes nothing twice. */
import { TwinfilerError } from "../error"
import {
    commandCodes,
    dryRunFlag,
    forceFlag,
    modeNames,
    partnerOf,
    roleNames,
    vetoAlready,
    vetoReasons,
    vetoUnderWay,
    volumeLetter,
    type ControlVerb,
    type ModeName,
} from "../protocol/numbers"
import { encodeControl, encodeQuery, type QueryBody } from "../protocol/commands"
import type { Answer, Outcome } from "../protocol/notices"
import { Exchange, type Route } from "./exchange"
import type { Link } from "./link"

export interface CallOptions {
    timeoutMs?: number
    signal?: AbortSignal
    /** `busy` is an answer, not a reason to try again. */
    isBusyFinal?: boolean
}

/** Roles that do not pass by themselves: why a node in one cannot do what it is asked. */
const settledRoles: Partial<Record<string, (node: string, partner: string) => string>> = {
    waiting: (node, partner) =>
        `node ${node} serves nothing, as its partner has both volumes: \`twinfiler giveback ${partner}\` hands its own back`,
    degraded: node => `node ${node} cannot read its own array: \`twinfiler array show ${node}\` may tell more`,
}

/**
 * The answer to a query, whatever its status, except those that only mean "not now" or "not here".
 * `route.node` asks one node (for `node`, or for `elements` of the volume `about`); otherwise the volume's controller is asked.
 */
export async function query(
    link: Link,
    route: Route,
    body: QueryBody,
    subject: string,
    { about, ...options }: CallOptions & { about?: number } = {},
): Promise<Answer> {
    const volume = about ?? ("volume" in route ? route.volume : route.node)
    const gate = link.gatesOf(volume).all
    await gate.enter()
    const tag = link.takeTag()
    // of what was sent: with a new epoch it differs
    const checks = new Set<number>()
    try {
        const exchange = new Exchange<Answer>(link, {
            route,
            subject,
            ...options,
            send: to => {
                const epoch = "volume" in route ? link.nodes.epochOf(volume) : 0
                const frame = encodeQuery({ volume, epoch, tag }, body)
                checks.add(frame.readUInt32LE(0))
                link.bus.send(to.node, commandCodes.query, frame)
            },
        })
        const take = (answer: Answer) => {
            if (answer.op !== body.op || (!("node" in route) && answer.volume !== volume)) return
            if (answer.status === "busy") exchange.busy()
            else if (answer.status === "notController") exchange.notController(answer.payload[0])
            else if (answer.status === "wrongEpoch") {
                link.nodes.learnEpoch(volume, answer.epoch)
                exchange.wrongEpoch()
            } else {
                link.noteFlags(answer.flags)
                exchange.complete(answer)
            }
        }
        link.answers.set(tag, { checks, take })
        return await exchange.promise
    } finally {
        link.answers.delete(tag)
        gate.leave()
    }
}

export interface ControlResult {
    verb: ControlVerb
    node: number
    dryRun: boolean
}

export type ControlOptions = CallOptions & {
    dryRun?: boolean
    /** Takeover: the partner is reset instead of being asked. */
    force?: boolean
    /** Of the verb mode. */
    mode?: ModeName
}

/**
 * Asks `node` to take its partner's volume, or to hand it back (by itself, or as what a mode wants). Resolves when that is done, or for a dry run when it
 * would be possible; throws `vetoed` with the reason otherwise. Sent again when unanswered, by the same tag: the node tells the outcome again, or
 * does now what it has not heard before. Only that counts: a beat does not tell whether anybody was heard, nor why a node holds what it holds.
 */
export async function control(
    link: Link,
    verb: ControlVerb,
    node: number,
    options: ControlOptions = {},
): Promise<ControlResult> {
    const dryRun = options.dryRun ?? false
    const mode = options.mode === undefined ? undefined : modeNames.indexOf(options.mode)
    const flags = (dryRun ? dryRunFlag : 0) | (options.force ? forceFlag : 0)
    const gate = link.gatesOf(node).all
    await gate.enter()
    let tag = link.takeTag()
    try {
        const exchange: Exchange<void> = new Exchange<void>(link, {
            route: { node },
            subject: `${verb} ${volumeLetter(node)}`,
            ...options,
            send: to => link.bus.send(to.node, commandCodes.control, encodeControl({ verb, flags, tag, mode })),
        })
        const take = (outcome: Outcome) => settle(exchange, outcome, verb, node, dryRun, askAnew)
        // by the same tag the node would tell its veto again
        const askAnew = () => {
            link.outcomes.delete(tag)
            tag = link.takeTag()
            link.outcomes.set(tag, take)
            exchange.notController()
        }
        link.outcomes.set(tag, take)
        await exchange.promise
        return { verb, node, dryRun }
    } finally {
        link.outcomes.delete(tag)
        gate.leave()
    }
}

function settle(
    exchange: Exchange<void>,
    outcome: Outcome,
    verb: ControlVerb,
    node: number,
    dryRun: boolean,
    askAnew: () => void,
): void {
    if (outcome.verb !== verb) return
    const { status, reason } = outcome
    const subject = `${verb} ${volumeLetter(node)}`
    const settled = settledRoles[roleNames[outcome.role]]?.(volumeLetter(node), volumeLetter(partnerOf(node)))
    const reasons = (outcome.reasons.length ? outcome.reasons : [reason]).map(
        each => (each === vetoUnderWay ? settled : undefined) ?? vetoReasons[each] ?? `reason ${each}`,
    )
    const isRepeated = !dryRun && exchange.sentCount > 1
    // asked for again, or a mode, what is so in fact is made to stay: nothing stands in the way of that either
    const isSo = status === "vetoed" && reason === vetoAlready && (isRepeated || dryRun || verb === "mode")
    if (status === "ok" || isSo) exchange.complete()
    else if (status === "vetoed" && isRepeated && reason === vetoUnderWay && !settled) askAnew()
    else if (status === "busy") exchange.busy()
    else
        exchange.fail(
            status === "vetoed"
                ? new TwinfilerError("vetoed", `${subject} is not possible: ${reasons.join("; ")}`, { reason, reasons })
                : new TwinfilerError(status, `${subject} failed: ${status}`),
        )
}

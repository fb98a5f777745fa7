// Which program each node's board holds, as its runtime says: also that of a board whose program does not run.

import { programState, type ProgramState } from "../bus/manager"
import { boardOf, type RuntimeBoard, type Runtimes } from "../bus/runtimes"
import { isError } from "../error"
import { isProgramName, parseVersion, type ImageFacts } from "../image"
import { partnerOf } from "../protocol/numbers"
import type { TwinfilerClient } from "./client"

export interface NodeProgram {
    node: number
    /** Undefined while its board does not announce itself. */
    board?: RuntimeBoard
    program?: ProgramState
    facts?: ImageFacts
    isHeard: boolean
}

/** The program of every node that is heard, and of its partner; a silent one's board is found among those that serve nothing. */
export async function nodePrograms(client: TwinfilerClient, runtimes: Runtimes): Promise<NodeProgram[]> {
    const states = client.nodes()
    const numbers = [...new Set(states.flatMap(({ node }) => [node, partnerOf(node)]))].sort((a, b) => a - b)
    const heard = states.filter(({ isHeard }) => isHeard)
    const isTaken = new Set(heard.map(({ device }) => boardOf(device)))
    const found: NodeProgram[] = []
    const silent: NodeProgram[] = []
    for (const node of numbers) {
        const state = heard.find(state => state.node === node)
        const one: NodeProgram = { node, isHeard: state !== undefined }
        found.push(one)
        if (!state) silent.push(one)
        else await learn(one, await runtimes.find(boardOf(state.device)).catch(unlessSilent), runtimes)
    }
    const spare = runtimes.boards().filter(({ device }) => !isTaken.has(device))
    for (const board of spare) {
        if (silent.length === 0) break
        const program = await programOf(board, runtimes)
        if (!program || (program.bytes > 0 && !isProgramName(program.name))) continue
        const one = silent.find(({ node }) => boardOf(deviceOf(client, node)) === board.device) ?? silent[0]
        silent.splice(silent.indexOf(one), 1)
        await learn(one, board, runtimes)
    }
    return found
}

function deviceOf(client: TwinfilerClient, node: number): string {
    return client.nodes().find(state => state.node === node)?.device ?? ""
}

async function learn(one: NodeProgram, board: RuntimeBoard | undefined, runtimes: Runtimes): Promise<void> {
    if (!board) return
    one.board = board
    one.program = await programOf(board, runtimes)
    one.facts = one.program && parseVersion(one.program.version)
}

/** Asked once more when another host had the board's ear, and nothing or half of it was answered. */
async function programOf(board: RuntimeBoard, runtimes: Runtimes): Promise<ProgramState | undefined> {
    const program = await programState(runtimes, board).catch(unlessSilent)
    if (program?.runtime || !(await runtimes.quiet(board.device))) return program
    return programState(runtimes, board).catch(unlessSilent)
}

function unlessSilent(error: unknown): undefined {
    if (!isError(error, "noNode", "timeout")) throw error
    return undefined
}

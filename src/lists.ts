// Lists allocated at boot.

export function zeros(count: number): number[] {
    const list: number[] = []
    while (count-- > 0) list.push(0)
    return list
}

export function buffers(count: number, bytes: number): Buffer[] {
    const list: Buffer[] = []
    while (count-- > 0) list.push(Buffer.alloc(bytes))
    return list
}

/* A library of Windows that Wine before version 9 lacks, for tests: random numbers, as Rust's standard library asks for them. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID data, ULONG bytes);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T bytes)
{
    while (bytes > 0) {
        ULONG part = bytes > 0x10000 ? 0x10000 : (ULONG)bytes;
        if (!SystemFunction036(data, part)) return FALSE;
        data += part;
        bytes -= part;
    }
    return TRUE;
}

/*
 * The in-kernel pair of 8259s of KVM, for a harness that speaks lines:
 *
 *   i WIDTH PORT         in; answers the value
 *   o WIDTH PORT VALUE   out
 *   l PIN LEVEL          drives an input of the pair
 *   a                    lets the processor take one interrupt; answers its vector, or -
 *   s                    answers the state of both chips, as bytes
 *   S BYTES              puts such a state back
 *
 * Numbers are hexadecimal. Only what answers is answered. Accesses are made by pieces of code in real mode that end with a
 * write to a port that nobody has; each vector leads to such a write of its own, so that the place tells the vector.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY = 0x10000, HANDLERS = 0x1000, HANDLER_BYTES = 2, CODE = 0x1400, CODE_BYTES = 16, STACK = 0x3000 };
enum { IN8, IN16, IN32, OUT8, OUT16, OUT32, ACCEPT };
enum { LEAVE_PORT = 0xe9, CHIP_BYTES = sizeof(struct kvm_pic_state) };

static const unsigned char pieces[][CODE_BYTES] = {
    [IN8] = {0xec, 0xe6, LEAVE_PORT},        [IN16] = {0xed, 0xe6, LEAVE_PORT},
    [IN32] = {0x66, 0xed, 0xe6, LEAVE_PORT}, [OUT8] = {0xee, 0xe6, LEAVE_PORT},
    [OUT16] = {0xef, 0xe6, LEAVE_PORT},      [OUT32] = {0x66, 0xef, 0xe6, LEAVE_PORT},
    [ACCEPT] = {0x90, 0xfa, 0xe6, LEAVE_PORT}, /* begins with interrupts on: nop; cli */
};

static int vm, cpu;
static struct kvm_run *run;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int call(int file, unsigned long request, void *argument, const char *what) {
    int result = ioctl(file, request, argument);
    if (result < 0) fail(what);
    return result;
}

/* Goes on until code of ours leaves; answers the address behind the instruction that left. */
static unsigned long until_left(struct kvm_regs *regs) {
    for (;;) {
        if (ioctl(cpu, KVM_RUN, 0) < 0 && errno != EINTR) fail("KVM_RUN");
        if (run->exit_reason == KVM_EXIT_IO) {
            int leaves = run->io.port == LEAVE_PORT;
            /* Nobody has the port: it reads as all ones. */
            if (run->io.direction == KVM_EXIT_IO_IN)
                memset((char *)run + run->io.data_offset, 0xff, run->io.size * run->io.count);
            if (!leaves) continue;
            /* The access is complete only when the processor is entered again. */
            run->immediate_exit = 1;
            ioctl(cpu, KVM_RUN, 0);
            run->immediate_exit = 0;
            call(cpu, KVM_GET_REGS, regs, "KVM_GET_REGS");
            return regs->rip;
        }
        if (run->exit_reason == KVM_EXIT_INTR) continue;
        fprintf(stderr, "the processor left for reason %u\n", run->exit_reason);
        exit(1);
    }
}

static unsigned long execute(int piece, unsigned port, unsigned *value) {
    struct kvm_regs regs = {.rip = CODE + piece * CODE_BYTES, .rsp = STACK, .rdx = port};
    regs.rax = *value;
    regs.rflags = piece == ACCEPT ? 0x202 : 2;
    call(cpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
    unsigned long at = until_left(&regs);
    *value = (unsigned)regs.rax;
    return at;
}

static int piece_of(int first, unsigned width) { return first + (width == 1 ? 0 : width == 2 ? 1 : 2); }

static void start(void) {
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) fail("/dev/kvm");
    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) fail("KVM_GET_API_VERSION");
    vm = call(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
    call(vm, KVM_SET_TSS_ADDR, (void *)0xfffbd000UL, "KVM_SET_TSS_ADDR");
    call(vm, KVM_CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");
    /* Line n of the pair is GSI n, and nothing else is. */
    struct kvm_irq_routing *routing = calloc(1, sizeof *routing + 16 * sizeof routing->entries[0]);
    for (routing->nr = 0; routing->nr < 16; routing->nr++) {
        struct kvm_irq_routing_entry *entry = &routing->entries[routing->nr];
        entry->gsi = routing->nr;
        entry->type = KVM_IRQ_ROUTING_IRQCHIP;
        entry->u.irqchip.irqchip = routing->nr < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
        entry->u.irqchip.pin = routing->nr & 7;
    }
    call(vm, KVM_SET_GSI_ROUTING, routing, "KVM_SET_GSI_ROUTING");
    unsigned char *memory = mmap(0, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    for (int vector = 0; vector < 256; vector++) {
        unsigned handler = HANDLERS + vector * HANDLER_BYTES;
        memcpy(memory + handler, (unsigned char[]){0xe6, LEAVE_PORT}, HANDLER_BYTES);
        memcpy(memory + 4 * vector, (unsigned char[]){handler & 0xff, handler >> 8, 0, 0}, 4);
    }
    memcpy(memory + CODE, pieces, sizeof pieces);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (unsigned long)memory};
    call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
    cpu = call(vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
    int bytes = call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
    run = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    if (run == MAP_FAILED) fail("mmap");
    struct kvm_sregs sregs;
    call(cpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
    sregs.cs.base = sregs.cs.selector = 0;
    call(cpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
}

static void state(const char *bytes) {
    for (unsigned id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_PIC_SLAVE; id++) {
        struct kvm_irqchip chip = {.chip_id = id};
        unsigned char *raw = (unsigned char *)&chip.chip.pic;
        call(vm, KVM_GET_IRQCHIP, &chip, "KVM_GET_IRQCHIP");
        for (int i = 0; i < CHIP_BYTES; i++) {
            unsigned byte = 0;
            if (bytes == NULL) printf("%02x", raw[i]);
            else if (sscanf(bytes + 2 * (id * CHIP_BYTES + i), "%2x", &byte) == 1) raw[i] = byte;
        }
        if (bytes != NULL) call(vm, KVM_SET_IRQCHIP, &chip, "KVM_SET_IRQCHIP");
    }
    if (bytes == NULL) putchar('\n');
}

int main(void) {
    char line[4096];
    unsigned width, where, value = 0;
    start();
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "i %x %x", &width, &where) == 2) {
            execute(piece_of(IN8, width), where, &value);
            printf("%x\n", width == 4 ? value : value & ((1u << (8 * width)) - 1));
        } else if (sscanf(line, "o %x %x %x", &width, &where, &value) == 3) execute(piece_of(OUT8, width), where, &value);
        else if (sscanf(line, "l %x %x", &where, &value) == 2) {
            struct kvm_irq_level level = {.irq = where, .level = value};
            call(vm, KVM_IRQ_LINE, &level, "KVM_IRQ_LINE");
        } else if (line[0] == 'a') {
            unsigned long at = execute(ACCEPT, 0, &value) - HANDLERS;
            if (at <= 256 * HANDLER_BYTES) printf("%lx\n", at / HANDLER_BYTES - 1);
            else puts("-");
        } else if (line[0] == 's') state(NULL);
        else if (line[0] == 'S') state(line + 2);
        else return 2;
        fflush(stdout);
    }
    return 0;
}

/* What do trees sum to, as fast as this machine can?
 *
 * Eight rows at a time. A tree of at most 64 leaves is a set of bits, one per leaf from left
 * to right: each question that a row answers with "right" strikes out the leaves of its left
 * side, in whatever order questions are asked, and the lowest bit left is the leaf (Lucchese
 * and others 2015, "QuickScorer"). So the questions of one column are asked together, by
 * ascending threshold, until no row of the eight is above. Other trees are walked.
 *
 * Every index here was checked when the form was read, and again where these arrays are made.
 * Leaves are added in the trees' order from `start`, in double precision: the same doubles as
 * every other engine, so contraction into fused steps is switched off.
 */

#include <stdint.h>

#define LANES 8

/* One number per row; numpy aligns its arrays to a double, not to all eight. */
typedef double lanes __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint64_t lanes_of_bits __attribute__((vector_size(64), aligned(8), may_alias));

struct model {
    int64_t columns;          /* ways of reading a feature */
    const int64_t *feature;   /* of each column: a column of the matrix */
    const double *nan_is;     /* what stands there for NaN */
    const double *zero_is;    /* and for what is within near_zero of zero */
    double near_zero;

    const int64_t *first;     /* columns + 1: where each column's questions begin */
    const double *threshold;  /* ascending within a column */
    const int64_t *tree;
    const uint64_t *keep;     /* the leaves left when the answer is "right" */

    int64_t sets;             /* questions about categories */
    const int64_t *set_column;
    const int64_t *set_tree;
    const uint64_t *set_keep;
    const int64_t *set_first; /* sets of walked trees have their words here too */
    const int64_t *set_bits;
    const uint32_t *words;

    int64_t trees;
    const int64_t *leaf;      /* where each tree's leaves begin */
    const double *value;      /* quick trees: from left to right */
    const int64_t *root;      /* -1 for a quick tree, else its first node */

    const int64_t *node_column;
    const double *node_threshold;
    const int64_t *node_set;  /* -1, or the set that is asked about */
    const int64_t *child;     /* left and right: a node, or ~leaf */
    double start;
};

static int in_set(const struct model *m, int64_t set, double x)
{
    if (!(x > -1.0 && x < (double)m->set_bits[set]))
        return 0;
    const int64_t code = (int64_t)x;
    return (int)(m->words[m->set_first[set] + (code >> 5)] >> (code & 31)) & 1;
}

static double walk(const struct model *m, int64_t node, const double *x)
{
    while (node >= 0) {
        const double v = x[m->node_column[node] * LANES];
        const int64_t set = m->node_set[node];
        const int right = set < 0 ? v > m->node_threshold[node] : !in_set(m, set, v);
        node = m->child[2 * node + right];
    }
    return m->value[~node];
}

/* The one hot loop. It is written once and compiled for each width of vectors. */
#define STRIKE_OUT(name, machine)                                                             \
    machine static void name(const struct model *m, const double *x, uint64_t *left)           \
    {                                                                                         \
        for (int64_t c = 0; c < m->columns; c++) {                                            \
            const double *v = x + c * LANES;                                                  \
            const lanes here = *(const lanes *)v;                                             \
            double most = v[0];                                                               \
            for (int i = 1; i < LANES; i++)                                                   \
                most = v[i] > most ? v[i] : most;                                             \
            for (int64_t q = m->first[c]; q < m->first[c + 1] && most > m->threshold[q]; q++) { \
                lanes_of_bits *bits = (lanes_of_bits *)(left + m->tree[q] * LANES);           \
                *bits &= (lanes_of_bits)(here <= m->threshold[q]) | m->keep[q];               \
            }                                                                                 \
        }                                                                                     \
    }

STRIKE_OUT(strike_out_plainly, )
#if defined(__x86_64__)
STRIKE_OUT(strike_out_by_four, __attribute__((target("avx2"))))
STRIKE_OUT(strike_out_by_eight, __attribute__((target("avx512f"))))
#endif

static void strike_out(const struct model *m, const double *x, uint64_t *left)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        strike_out_by_eight(m, x, left);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        strike_out_by_four(m, x, left);
        return;
    }
#endif
    strike_out_plainly(m, x, left);
}

static void read_rows(const struct model *m, const double *matrix, int64_t width, int64_t rows,
                      double *x)
{
    for (int64_t c = 0; c < m->columns; c++)
        for (int64_t i = 0; i < LANES; i++) {
            /* lanes without a row repeat the first one */
            double v = matrix[(i < rows ? i : 0) * width + m->feature[c]];
            if (v != v)
                v = m->nan_is[c];
            else if (v <= m->near_zero && v >= -m->near_zero)
                v = m->zero_is[c];
            x[c * LANES + i] = v;
        }
}

/* `x` has room for columns × 8 doubles, `left` for trees × 8 words. */
void saferoom_sum(const struct model *m, const double *matrix, int64_t width, int64_t rows,
                  double *sums, double *x, uint64_t *left)
{
    for (int64_t at = 0; at < rows; at += LANES) {
        const int64_t here = rows - at < LANES ? rows - at : LANES;
        double total[LANES];
        read_rows(m, matrix + at * width, width, here, x);
        for (int64_t k = 0; k < m->trees * LANES; k++)
            left[k] = ~(uint64_t)0;
        strike_out(m, x, left);
        for (int64_t s = 0; s < m->sets; s++)
            if (m->set_tree[s] >= 0)
                for (int i = 0; i < LANES; i++)
                    if (!in_set(m, s, x[m->set_column[s] * LANES + i]))
                        left[m->set_tree[s] * LANES + i] &= m->set_keep[s];
        for (int i = 0; i < LANES; i++)
            total[i] = m->start;
        for (int64_t t = 0; t < m->trees; t++)
            for (int i = 0; i < LANES; i++)
                total[i] += m->root[t] < 0
                    ? m->value[m->leaf[t] + __builtin_ctzll(left[t * LANES + i])]
                    : walk(m, m->root[t], x + i);
        for (int64_t i = 0; i < here; i++)
            sums[at + i] = total[i] + 0.0; /* which unmakes a negative zero */
    }
}

"""What other libraries call our options: {their name: [(ours, where), …]}, the likeliest first.

Ours is a name, or a whole argument, such as `partial=not drop_last`, where more than the name differs.
"""

_ROWS = """
in_features | inputs | PyTorch and Flax's NNX
in_channels | inputs | PyTorch and Equinox
in_size | inputs | Equinox
input_size | inputs | PyTorch and Equinox
input_dim | inputs, entries | Keras
in1_features | inputs | PyTorch
num_embeddings | entries | PyTorch and Flax
num_classes | classes | PyTorch and Keras
depth | classes | TensorFlow
vocab_size | entries | code for Equinox
embedding_dim | width | PyTorch
embedding_size | width | Equinox
embed_dim | inputs, width | PyTorch
output_dim | width, outputs | Keras
d_model | inputs | PyTorch
query_size | inputs | Equinox
qkv_features | hidden | Flax
qk_size | hidden | Equinox
key_dim | hidden | Keras
out_features | outputs, hidden | PyTorch and Flax's NNX
out_channels | outputs | PyTorch and Equinox
out_size | outputs | Equinox
filters | outputs | Keras
features | outputs, width, hidden, channels | Flax
units | outputs, hidden | Keras
hidden_size | hidden | PyTorch and Equinox
hidden_features | hidden | Flax
hidden_dim | hidden | code for PyTorch
kernel_size | window | PyTorch, Keras and Flax
pool_size | window | Keras
window_shape | window | Flax
filter | window | Flux
strides | stride | Keras and Flax
window_strides | stride | JAX
pad | padding | Flux
padding_mode | padding | PyTorch
dilation_rate | dilation | Keras
kernel_dilation | dilation | Flax
rhs_dilation | dilation | JAX
feature_group_count | groups | Flax
num_groups | groups | PyTorch and Flax
use_bias | bias | Keras, Flax and Equinox
kernel_init | init | Flax
kernel_initializer | init | Keras
weight_init | init | code for PyTorch
embedding_init | init | Flax
recurrent_kernel_init | state_init | Flax
recurrent_initializer | state_init | Keras
act | activation | code for PyTorch
activation_fn | activation | code for Flax
nonlinearity | activation | PyTorch
rngs | key | Flax
rng | key, seed | code for JAX
prng | key | code for JAX
generator | key, seed | PyTorch
param_dtype | dtype | Flax
rate | p | Keras and Flax
dropout_rate | p, dropout | Flax
prob | p | code for PyTorch
dropout_p | dropout, p | PyTorch
dims | axes, axis, size | Flux
broadcast_dims | axes | Flax
noise_shape | axes | Keras
deterministic | training=not deterministic, call testmode(model) before | Flax
inference | training=not inference, call testmode(model) before | Equinox
train | training, call trainmode(model) or testmode(model) before | Flax
training | call trainmode(model) or testmode(model) before | Keras
num_features | channels | PyTorch
num_channels | channels | PyTorch
normalized_shape | size | PyTorch
epsilon | eps | Keras and Flax
elementwise_affine | affine | PyTorch
use_scale | affine | Flax
use_weight | affine | Equinox
use_running_average | training=not use_running_average | Flax
track_running_stats | track | PyTorch
track_stats | track | Flux
axis_name | axis | Equinox
num_heads | heads | PyTorch, Keras and Equinox
nheads | heads | Flux
is_causal | causal | PyTorch
need_weights | return_weights | PyTorch
attn_mask | mask | PyTorch
attention_mask | mask | Keras
padding_idx | padding | PyTorch
return_sequences | return_state | Keras
return_carry | return_state | Flax
return_last | return_state | code for Keras
initial_state | state | Keras
initial_carry | state | Flax
hx | state | PyTorch
scale_factor | scale | PyTorch
output_size | sizes, size | PyTorch
out_shape | size | code for JAX
upscale_factor | factor | PyTorch
interpolation | mode | Keras
negative_slope | slope | PyTorch, Keras and JAX
dim | axis | PyTorch
axes | axis | NumPy
maximise | minimise the negative | JuMP
maximize | minimise the negative | CVXPY
sense | minimise the negative to maximise | JuMP and Gurobi
keepdim | keepdims | PyTorch
input | yhat, x | PyTorch
y_pred | yhat, scores | Keras
predictions | yhat, scores | Optax
logits | yhat, scores | Optax
pred | yhat, scores | code for PyTorch
target | y | PyTorch
targets | y | Optax
y_true | y | Keras
labels | y | Optax
reduction | agg | PyTorch and Keras
smoothing | alpha | code for PyTorch
label_smoothing | alpha | PyTorch and Keras
dataset | data | PyTorch
batch_size | batchsize | PyTorch and Keras
drop_last | partial=not drop_last | PyTorch
drop_remainder | partial=not drop_remainder | TensorFlow
random_state | seed | scikit-learn
random_seed | seed | code for NumPy
n_samples | n | scikit-learn
n_splits | k | scikit-learn
train_size | at, split | scikit-learn
test_size | at=1 - test_size, split=1 - test_size | scikit-learn
root | data | PyTorch
categories | classes | scikit-learn
lr | rate | PyTorch
learning_rate | rate | Keras, Optax and scikit-learn
eta | rate | Flux
step_size | rate | JAX
betas | beta | PyTorch
beta_1 | beta | Keras
b1 | beta | Optax
rho | beta | Keras
weight_decay | decay | PyTorch, Keras and Optax
lambda | decay | Flux
max_norm | limit | PyTorch and Optax
clipnorm | limit | Keras
num_epochs | epochs | code for PyTorch
n_epochs | epochs | code for PyTorch
epoch | epochs | code for PyTorch
nb_epoch | epochs | Keras
max_iter | iterations, epochs | scikit-learn
callbacks | callback | Keras
cb | callback | Flux
verbose | progress | Keras
optimizer | rule | PyTorch and Keras
opt | rule | Flux
validation_data | validation | Keras
c | q | SciPy
Q | P | qpth
H | P | CVXOPT and MATLAB
f | q, objective | MATLAB
A_ub | G | SciPy
b_ub | h | SciPy
A_eq | A | SciPy
b_eq | b | SciPy
bounds | lower=low and upper=high | SciPy
lb | lower | qpsolvers
ub | upper | qpsolvers
l | lower | OSQP
u | upper | OSQP
eps | tolerance | SCS and cvxpylayers
eps_abs | tolerance | OSQP
eps_rel | tolerance | OSQP
tol | tolerance, eps | SciPy and JAXopt
tol_feas | tolerance | Clarabel
tol_gap_abs | tolerance | Clarabel
tol_gap_rel | tolerance | Clarabel
abstol | tolerance | CVXOPT
reltol | tolerance | CVXOPT
feastol | tolerance | CVXOPT
max_iter | max_iterations | OSQP and Clarabel
max_iters | max_iterations | SCS
maxiter | max_iterations, iterations | SciPy and JAXopt
maxIter | max_iterations | qpth
iterations | max_iterations | code for solvers
method | solver | SciPy
solver_args | pass solver= and tolerance= themselves | cvxpylayers
solver_options | pass tolerance= and max_iterations= themselves | qpsolvers
verbose | print the solution for its status and residuals | CVXPY and OSQP
warm_start | start | CVXPY and OSQP
warm_starts | start | cvxpylayers
init_params | start | JAXopt
initvals | start | qpsolvers
x0 | start | SciPy
fun | objective | SciPy
cost | objective | CasADi
loss | objective | code for JAX
constraints | pass functions as equality= and inequality= | SciPy and CVXPY
eq_constraints | equality | code for solvers
ineq_constraints | inequality | code for solvers
eq | equality | code for solvers
ineq | inequality | code for solvers
x | variable | code for solvers
variables | variable | CVXPY
parameters | let the functions take the parameters after the variable | CVXPY
argnums | index the result by it: a derivative comes for each argument | JAX
params | let the functions take the parameters after the variable | code for JAX
reg | smoothing, strength | code for decision losses
regularization | smoothing, strength | code for decision losses
regularization_strength | strength | fast-soft-sort
sigma | scale | PyEPO
n_samples | samples | PyEPO
num_samples | samples | Berthet et al.'s code
"""

OTHER_NAMES: dict[str, list[tuple[str, str]]] = {}
for _row in _ROWS.strip().splitlines():
    _name, _ours, _who = (part.strip() for part in _row.split("|"))
    OTHER_NAMES.setdefault(_name, []).extend((_one.strip(), _who) for _one in _ours.split(", "))

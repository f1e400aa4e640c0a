"""The vision transformer of DINOv2, its tensors called as timm calls them.

Oquab et al., arXiv:2304.07193. Letters in shapes: N pictures, T tokens (the class token and one for
each patch), d width.
"""

import torch
from torch import Tensor, nn

PATCH_PX = 14
#: DINOv2 begins each residual branch this small.
_FIRST_SCALE = 1e-5


class VisionTransformer(nn.Module):
    """RGB pictures (N, 3, S, S), normalised as ImageNet's, to the class token's feature (N, d).

    S is `side_px`, a multiple of 14: the positions of other sizes would have to be resampled.
    """

    def __init__(self, side_px: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        tokens = 1 + (side_px // PATCH_PX) ** 2
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pictures: Tensor) -> Tensor:
        """The features of pictures."""
        patches = self.patch_embed(pictures)  # (N, T - 1, d)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        tokens = tokens + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        feature: Tensor = self.norm(tokens)[:, 0]
        return feature


class PatchEmbedding(nn.Module):
    """Each patch of 14 x 14 to a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH_PX, stride=PATCH_PX)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to tokens (N, T - 1, d), row by row."""
        tokens: Tensor = self.proj(pictures).flatten(2).transpose(1, 2)
        return tokens


class Block(nn.Module):
    """Attention among tokens, then a perceptron for each, both scaled and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Perceptron(width)
        self.ls2 = LayerScale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, d) to tokens."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        out: Tensor = tokens + self.ls2(self.mlp(self.norm2(tokens)))
        return out


class Attention(nn.Module):
    """Softmax attention of all tokens to all."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, d) to tokens."""
        pictures, count, width = tokens.shape
        split = self.qkv(tokens).view(pictures, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (N, heads, T, d / heads)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out


class Perceptron(nn.Module):
    """Two layers, the inner one four times as wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, d) to tokens."""
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(tokens)))
        return out


class LayerScale(nn.Module):
    """A learned factor for each number of a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), _FIRST_SCALE))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, d), scaled."""
        return tokens * self.gamma


def vit_large(side_px: int = 224) -> VisionTransformer:
    """ViT-L/14, which DINOv2 calls `vitl14`: features of 1024."""
    return VisionTransformer(side_px, width=1024, depth=24, heads=16)
